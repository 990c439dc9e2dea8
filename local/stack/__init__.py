"""Deploys the SAM template onto the laptop cloud, resource by resource."""
