"""Names for what is seen: services of ports, known scanners, owners of networks, tracks."""
