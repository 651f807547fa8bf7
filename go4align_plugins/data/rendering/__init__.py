"""Renderer of `rooms` and `streets`: solids, materials, light, sensors and the scenes."""
