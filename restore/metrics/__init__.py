"""Figures of restored pictures, each with its name, its direction, and the reason where it cannot be computed.

In reading order:

- ``metric``        what a metric is
- ``catalogue``     all of them, in the order of tables
- ``pixelwise``     PSNR, SSIM, colour difference, over the picture and by zone of the field
- ``perceptual``    the shift-tolerant LPIPS, over the picture and by zone
- ``unweighted``    MS-SSIM, FSIM, VIF, GMSD by pyiqa, and PIQE: nothing to download
- ``weighted``      LPIPS, DISTS, NIQE, MANIQA, MUSIQ, CLIP-IQA, where their weights are on this machine
- ``consistency``   blurred again by the bank, is it the capture? What is not was made up
- ``edge_chart``    a chart of slanted edges over the field
- ``slanted_edge``  resolution from such an edge, by ISO 12233
"""
