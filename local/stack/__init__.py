"""What a template deploys onto the laptop cloud, resource by resource."""
