"""A fleet's resource becomes the objects it is made of; pure, so that the same input gives the same bytes."""

from tandem.controller.children.all import children
from tandem.controller.children.revision import revision

__all__ = ["children", "revision"]
