"""Numbers in sentences."""


def counted(number: int, thing: str) -> str:
    """So many of a thing in words: 1 image, 2 images."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")
