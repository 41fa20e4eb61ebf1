"""Photographs of the user's (PASCAL VOC, COCO, ImageNet), and the large nets of the source."""


def subject(config, net, seed):
    raise NotImplementedError


def pairs(config):
    raise NotImplementedError


def labelled(config, split, n):
    raise NotImplementedError
