"""From the official downloads of NYUv2 and CityScapes to the layout of MTAN's."""
