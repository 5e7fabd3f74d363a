"""Where the public data sets lie, and how their archives are known to be whole.

The hosts are the publishers' own, with copies behind them. Sizes and MD5 sums: VOC and SBD as torchvision has them,
COCO's as several libraries have them (the sum of its annotations is also the ETag that the host sends).
"""

from typing import NamedTuple


class Archive(NamedTuple):
    """One file to download.

    Attributes:
        urls: tried in order.
        size: bytes.
        md5: of the whole file, lower-case hexadecimal.
        inside: the folder in the archive that is wanted.
        place: where it goes below the folder of all data.
    """

    urls: tuple[str, ...]
    size: int
    md5: str
    inside: str
    place: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.urls[0].rpartition("/")[2]


def _coco(path: str, size: int, md5: str, folder: str) -> Archive:
    hosts = ("http://images.cocodataset.org", "https://s3.amazonaws.com/images.cocodataset.org")
    return Archive(tuple(f"{host}/{path}" for host in hosts), size, md5, folder, f"coco/{folder}")


VOC_TAR = "pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar"
SOURCES: dict[str, tuple[Archive, ...]] = {
    "voc2012": (
        Archive(
            (
                f"http://host.robots.ox.ac.uk/{VOC_TAR}",
                f"https://thor.robots.ox.ac.uk/{VOC_TAR}",
                "https://data.pjreddie.com/files/VOCtrainval_11-May-2012.tar",
            ),
            1_999_639_040,
            "6cd6e144f989b92b3379bac3b3de84fd",
            "VOCdevkit/VOC2012",
            "VOC2012",
        ),
    ),
    "sbd": (
        Archive(
            ("https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",),
            1_419_539_633,
            "82b4d87ceb2ed10f6038a1cba92111cb",
            "benchmark_RELEASE/dataset",
            "SBD",
        ),
    ),
    "coco2014": (
        _coco(
            "annotations/annotations_trainval2014.zip", 252_872_794, "0a379cfc70b0e71301e0f377548639bd", "annotations"
        ),
        _coco("zips/val2014.zip", 6_645_013_297, "a3d79f5ed8d289b7a7554ce06a5782b3", "val2014"),
        _coco("zips/train2014.zip", 13_510_573_713, "0da8c0bd3d6becc4dcb32757491aca88", "train2014"),
    ),
}
