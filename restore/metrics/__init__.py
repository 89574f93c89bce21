"""Figures of restored pictures, each with its name, its direction, and the reason where it cannot be computed.

In reading order:

- ``metric``                what a metric is
- ``measures``              PSNR, SSIM and distances of pictures, by zones of the field
- ``picture_tensors``       pictures as the networks take them
- ``weight_files``          weights from elsewhere, read as tensors
- ``feature_distance``      what both forms of LPIPS have in common
- ``lpips``                 LPIPS on VGG-16, where its weights are on this machine
- ``shift_tolerant_lpips``  the shift-tolerant form, whose weights come with a package
- ``perceptual_loss``       which of the two a training takes
- ``pixelwise``             differences of pixels, and PIQE
- ``perceptual``            the shift-tolerant LPIPS as a metric
- ``network_metrics``       metrics that are networks, of pyiqa and others
- ``edge_chart``            a chart of slanted edges over the field
- ``slanted_edge``          resolution from it (ISO 12233)
- ``catalogue``             all metrics of single pictures, in the order of tables
"""
