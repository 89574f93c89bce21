"""One app in an empty folder and one browser for the tests of a file, and what they read of a page."""

import pytest
from driven_app import chromium, served
from selenium.webdriver.common.by import By


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


def text_of(driver, marker_class):
    return driver.execute_script("return document.querySelector(arguments[0])?.innerText", marker_class)


def switch(driver, label):
    driver.find_element(By.XPATH, f"//*[@role='switch' and .//*[text()='{label}'] or @aria-label='{label}']").click()
