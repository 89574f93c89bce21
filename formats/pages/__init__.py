"""Pages and reports as text, made of numbers and templates.

- ``builder``    the one way to fill a template: what is escaped, and how numbers are written
- ``templates``  ``*.html.j2`` and ``*.md.j2``, one a page; ``page.html.j2`` is the frame and the style of HTML pages,
  ``parts.html.j2`` and ``parts.md.j2`` hold tables, figures and listings

A page is one file that names only files beside it. Here, and not in ``restore``, because designs and tolerances are
reported too.
"""
