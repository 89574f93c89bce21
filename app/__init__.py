"""The app: the pipeline in a browser, on this machine (``metalens app``), thin over the stages.

A page only shows files and asks for more. Long work runs in processes of their own, as commands of the command line or
in a service that keeps a restorer loaded, and its results are files in the project folder, ``metalens-app/``: a page
that is loaded again goes on with them. Everything that the app does is also a command, which it shows.

In reading order:

- ``project``          the folder that the app works in, and no other
- ``address``          host, port and token
- ``guard``            token, host, origin and size of every request
- ``job``              a command in a process of its own, with its state in files
- ``service``          a process that keeps something loaded and answers requests
- ``photographs``      captures to restore, of pairs and uploads
- ``restore_service``  the process that restores
- ``embedded``         what comes with the package
- ``studio``           what all pages share
- ``held_out``         the photographs with which an empty project begins
- ``files``            files over HTTP
- ``frame``            header, navigation and the elements that all views use
- ``chart``            charts that can be read in dark and light
- ``watching``         follows a job on a page
- ``photo_panes``      panes with linked zoom, curtain, slider and brush
- ``photograph_list``  the list of photographs to restore, and what adds to it
- ``restored_results`` figures, files and command of a restored picture
- ``restore_view``     the view *Restore*
- ``psf_picture``      point spread functions and maps as pictures
- ``layout_picture``   a window of a layout as a picture
- ``lens_service``     the process that simulates at single places and draws figures
- ``focus_card``       modulation while the sensor moves through the focus
- ``layout_card``      the layout, down to its meta-atoms
- ``lens_view``        the view *Lens*
- ``design_form``      a form of a specification, from its schema
- ``design_results``   figures of designs and comparisons
- ``design_view``      the view *Design*
- ``pairs_statistics`` sharpness and exposure of pairs
- ``data_view``        the view *Data*
- ``server``           starts it all
"""
