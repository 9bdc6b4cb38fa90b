"""The cfgs of Darknet's published nets, generated from their papers and Darknet's pages.

Each function returns the cfg of one net as text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def section(kind: str, **options: Any) -> str:
    return "\n".join([f"[{kind}]", *(f"{key}={value}" for key, value in options.items())]) + "\n"


def net(side: int) -> str:
    return section("net", width=side, height=side, channels=3)


def conv(filters: int, size: int = 3, stride: int = 1, **options: Any) -> str:
    """A convolution as most of them are: normalised, padded, leaky."""
    settings = {"batch_normalize": 1, "pad": 1, "activation": "leaky"} | options
    return section("convolutional", filters=filters, size=size, stride=stride, **settings)


def plain(filters: int, size: int = 3, stride: int = 1, **options: Any) -> str:
    """A convolution without batch normalisation."""
    return conv(filters, size, stride, **({"batch_normalize": 0} | options))


def pool(size: int = 2, stride: int = 2, **options: Any) -> str:
    return section("maxpool", size=size, stride=stride, **options)


def route(*layers: int) -> str:
    return section("route", layers=",".join(map(str, layers)))


def shortcut(back: int, activation: str = "leaky") -> str:
    return section("shortcut", **{"from": back, "activation": activation})


def classifier(classes: int = 1000, **options: Any) -> str:
    return (
        plain(classes, 1, activation="linear", **options) + section("avgpool") + section("softmax")
    )


def ending(classes: int = 1000) -> str:
    return section("avgpool") + plain(classes, 1, activation="linear") + section("softmax")


def connected(outputs: int, activation: str) -> str:
    return section("connected", output=outputs, activation=activation)


def alexnet() -> str:
    return "".join(
        [
            net(227),
            plain(96, 11, 4, pad=0, activation="relu"),
            pool(3, 2, padding=0),
            plain(256, 5, activation="relu"),
            pool(3, 2, padding=0),
            plain(384, activation="relu"),
            plain(384, activation="relu"),
            plain(256, activation="relu"),
            pool(3, 2, padding=0),
            connected(4096, "relu"),
            section("dropout", probability=0.5),
            connected(4096, "relu"),
            section("dropout", probability=0.5),
            connected(1000, "linear"),
            section("softmax"),
        ]
    )


def vgg_16() -> str:
    text = net(224)
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        text += plain(filters, activation="relu") * count + pool()
    for _ in range(2):
        text += connected(4096, "relu") + section("dropout", probability=0.5)
    return text + connected(1000, "linear") + section("softmax")


def darknet() -> str:
    text = net(256)
    for filters in (16, 32, 64, 128, 256):
        text += conv(filters) + pool()
    return text + conv(512) + pool(padding=1) + conv(1024) + classifier()


def tiny() -> str:
    text = net(224) + conv(16) + pool() + conv(32) + pool()
    for narrow, wide in ((16, 128), (32, 256), (64, 512)):
        text += (conv(narrow, 1) + conv(wide)) * 2
        text += pool() if wide < 512 else ""
    return text + conv(128, 1) + classifier()


def _darknet19_body() -> str:
    text = conv(32) + pool() + conv(64) + pool()
    text += conv(128) + conv(64, 1) + conv(128) + pool()
    text += conv(256) + conv(128, 1) + conv(256) + pool()
    text += conv(512) + (conv(256, 1) + conv(512)) * 2 + pool()
    return text + conv(1024) + (conv(512, 1) + conv(1024)) * 2


def darknet19() -> str:
    return net(256) + _darknet19_body() + classifier()


def extraction() -> str:
    text = net(224) + conv(64, 7, 2) + pool() + conv(192) + pool()
    text += conv(128, 1) + conv(256) + conv(256, 1) + conv(512) + pool()
    text += (conv(256, 1) + conv(512)) * 4 + conv(512, 1) + conv(1024) + pool()
    return text + (conv(512, 1) + conv(1024)) * 2 + classifier()


def _darknet53_body() -> str:
    text = conv(32)
    for filters, count in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        text += conv(filters, 3, 2)
        text += (conv(filters // 2, 1) + conv(filters) + shortcut(-3, "linear")) * count
    return text


def darknet53() -> str:
    return net(256) + _darknet53_body() + ending()


def _basic(counts: tuple[int, ...]) -> str:
    text = net(256) + conv(64, 7, 2) + pool()
    for stage, count in enumerate(counts):
        for block in range(count):
            stride = 2 if stage and not block else 1
            text += conv(64 << stage, 3, stride)
            text += conv(64 << stage, activation="linear") + shortcut(-3)
    return text + ending()


def _bottleneck(counts: tuple[int, ...], groups: int = 1, end: Callable[[], str] = ending) -> str:
    text = net(256) + conv(64, 7, 2) + pool()
    for stage, count in enumerate(counts):
        width = (128 if groups > 1 else 64) << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            text += conv(width, 1) + conv(width, 3, stride, groups=groups)
            text += conv(256 << stage, 1, activation="linear") + shortcut(-4)
    return text + end()


def resnet18() -> str:
    return _basic((2, 2, 2, 2))


def resnet34() -> str:
    return _basic((3, 4, 6, 3))


def resnet50() -> str:
    return _bottleneck((3, 4, 6, 3))


def resnet101() -> str:
    return _bottleneck((3, 4, 23, 3), end=classifier)


def resnet152() -> str:
    return _bottleneck((3, 8, 36, 3), end=classifier)


def resnext50() -> str:
    return _bottleneck((3, 4, 6, 3), groups=32)


def densenet201() -> str:
    text = net(256) + conv(64, 7, 2) + pool()
    for stage, count in enumerate((6, 12, 48, 32)):
        text += (conv(128, 1) + conv(32) + route(-1, -3)) * count
        text += conv(128 << stage, 1) + pool() if stage < 3 else ""
    return text + classifier()


def _region(anchors: int = 5, classes: int = 80) -> str:
    return section("region", classes=classes, num=anchors, coords=4)


def yolov2() -> str:
    text = net(608) + _darknet19_body() + conv(1024) * 2
    text += route(-9) + conv(64, 1) + section("reorg", stride=2) + route(-1, -4)
    return text + conv(1024) + plain(425, 1, activation="linear") + _region()


def yolov2_tiny() -> str:
    text = net(416) + conv(16) + pool()
    for filters in (32, 64, 128, 256):
        text += conv(filters) + pool()
    text += conv(512) + pool(2, 1) + conv(1024) + conv(512)
    return text + plain(425, 1, activation="linear") + _region()


def _yolo() -> str:
    return plain(255, 1, activation="linear") + section("yolo", classes=80, num=9)


def _yolov3(spp: bool) -> str:
    text = net(608) + _darknet53_body() + conv(512, 1) + conv(1024) + conv(512, 1)
    if spp:
        text += pool(5, 1) + route(-2) + pool(9, 1) + route(-4) + pool(13, 1)
        text += route(-1, -3, -5, -6) + conv(512, 1)
        text += conv(1024) + conv(512, 1)
    else:
        text += conv(1024) + conv(512, 1)
    text += conv(1024) + _yolo()
    for filters, earlier in ((256, 61), (128, 36)):
        text += route(-4) + conv(filters, 1) + section("upsample", stride=2) + route(-1, earlier)
        text += (conv(filters, 1) + conv(2 * filters)) * 3 + _yolo()
    return text


def yolov3() -> str:
    return _yolov3(spp=False)


def yolov3_spp() -> str:
    return _yolov3(spp=True)


def yolov3_tiny() -> str:
    text = net(416) + conv(16) + pool()
    for filters in (32, 64, 128, 256):
        text += conv(filters) + pool()
    text += conv(512) + pool(2, 1) + conv(1024) + conv(256, 1) + conv(512) + _yolo()
    text += route(-4) + conv(128, 1) + section("upsample", stride=2) + route(-1, 8)
    return text + conv(256) + _yolo()
