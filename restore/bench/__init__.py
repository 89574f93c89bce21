"""Benchmark of all methods on the same pairs, prior and training budget; one process for each method.

In reading order:

- ``plan``    the configuration of a benchmark, a file in its folder
- ``inputs``  checks of bank, pairs and chart
- ``folder``  layout of the folder; ``judged_sets`` the test pictures
- ``worker``  one method in its own process: fit, restore, measure time and memory
- ``process`` starting processes and reading their progress
- ``run``     prepares the folder and starts the workers, several at a time if wanted
- ``judge``   metrics of every restored picture, in a process of its own
- ``summary`` mean metrics, costs, and the gaps that DMDiff's paper claims
- ``table``   Markdown and CSV; ``figures`` the perception–distortion plane; ``page`` the HTML page
- ``report``  writes tables, figures and page

Methods and metrics run in processes of their own, so that a failure does not stop the others.
"""
