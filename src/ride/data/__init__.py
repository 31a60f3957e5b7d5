"""Images: where they come from, dequantisation, random crops and tiles, dead leaves."""
