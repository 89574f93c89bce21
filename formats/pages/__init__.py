"""Pages and reports from templates.

- ``builder``    fills templates: escaping, and formatting of numbers
- ``templates``  ``*.html.j2`` and ``*.md.j2``, one a page; ``page.html.j2`` is the frame and the style of HTML pages,
  ``parts.html.j2`` and ``parts.md.j2`` hold tables, figures and listings

A page is one file that names only files beside it. Here, and not in ``restore``, because designs and tolerances are
reported too.
"""
