"""Every method on the same pairs, prior and budget: one process a method, and what comes out side by side.

In reading order:

- ``plan``    what is to be compared, as a file in the benchmark's folder
- ``inputs``  what it works on, and whether that can be used
- ``folder``  where in it everything lies; ``judged_sets`` the pictures that methods are judged on
- ``worker``  one method in its own process: fit, restore, measure time and memory
- ``process`` a process that is followed while it works
- ``run``     prepares the folder, and starts the workers, one after the other or some at a time
- ``judge``   figures of every restored picture, in a process of its own
- ``summary`` their means, costs, and the paper's gaps
- ``table``   Markdown and CSV; ``figures`` the plane; ``page`` the pictures side by side
- ``report``  writes them

Methods and metrics run in processes of their own, so that one that fails ends no other.
"""
