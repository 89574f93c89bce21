"""Every method on the same pairs, prior and budget: one process a method, and what comes out side by side.

In reading order:

- ``plan``    what is to be compared, as a file in the benchmark's folder
- ``folder``  where in it everything lies
- ``worker``  one method in its own process: fit, restore, measure time and memory
- ``run``     starts the workers, one after the other or some at a time, and gathers what they made
- ``scores``  figures of every restored picture
- ``table``   their means as a table

Only the workers import torch.
"""
