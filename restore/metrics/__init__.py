"""Image quality metrics: each with its name, its direction, and the reason if it cannot be computed here.

In reading order:

- ``metric``                the record of a metric
- ``measures``              PSNR, SSIM and perceptual distances, whole and by zones of the field
- ``flicker``               how much consecutive frames change without the scene's doing
- ``picture_tensors``       conversion between pictures and tensors
- ``weight_files``          third-party weights, read as tensors
- ``feature_distance``      base class of the perceptual distances
- ``lpips``                 LPIPS on VGG-16, if its weights are on this machine
- ``shift_tolerant_lpips``  the shift-tolerant form, whose weights come with a package
- ``efficientnet_distance`` features of a network trained on ImageNet, whose weights come with a package
- ``perceptual_loss``       choice among the three for training
- ``pixelwise``             metrics without a network: PSNR, SSIM, CIEDE2000, PIQE
- ``perceptual``            the shift-tolerant LPIPS and EfficientNet's features as metrics
- ``niqe``                  NIQE, whose model comes with a package
- ``network_metrics``       metrics computed by networks, of pyiqa and others
- ``edge_chart``            a chart of slanted edges over the field
- ``slanted_edge``          resolution from such edges (ISO 12233)
- ``catalogue``             all metrics of single pictures, in the order of tables
"""
