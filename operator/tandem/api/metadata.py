"""What Tandem reads of a resource's metadata; the rest is the API server's."""

from pydantic import ConfigDict

from tandem.api.base import ApiModel
from tandem.api.scalars import ResourceName


class Metadata(ApiModel):
    """Name of a resource; labels, owners and times are passed over."""

    model_config = ConfigDict(extra="ignore")

    name: ResourceName
    """Name of the resource."""
