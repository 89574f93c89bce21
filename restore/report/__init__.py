"""The report of an evaluation: a folder with a page, its figures and all numbers.

In reading order:

- ``evaluation``   gathers the pictures of all stages
- ``scores``       metrics of restored pictures, without a bank
- ``report``       the folder
- ``figures``      its figures
- ``report_page``  its page
"""
