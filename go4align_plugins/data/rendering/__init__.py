"""What draws the embedded data: solids, materials, light, sensors, and the scenes themselves."""
