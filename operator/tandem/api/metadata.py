"""What Tandem reads of a resource's metadata; the rest is the API server's."""

from pydantic import ConfigDict

from tandem.api.base import ApiModel
from tandem.api.scalars import FleetName, ResourceName


class Metadata(ApiModel):
    """Name of a resource; labels, owners and times are passed over."""

    model_config = ConfigDict(extra="ignore")

    name: ResourceName
    """Name of the resource."""


class FleetMetadata(Metadata):
    """Of a fleet: names of its children are the fleet's with role, pool and revision at the end."""

    name: FleetName
    """Name of the fleet."""
