"""The name under which polars looks for the driver of ``embudo://`` URIs with ``engine="adbc"``. The driver is :mod:`embudo.adbc`."""
