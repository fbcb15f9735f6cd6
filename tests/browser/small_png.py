"""A screenshot as a PNG of at most 256 colours: a third of the bytes, and flat colours stay what they are."""

from __future__ import annotations

import base64
import struct
import zlib

from playwright.sync_api import Page

COLOURS = 256
# A palette that takes, one after the other, the colour that would be missed most (pixels × distance from the
# nearest taken), and for each pixel the place of the nearest.
TO_PALETTE = """async ([png, most]) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const colours = [...counts].map(([pixel, count]) => {
    return { pixel, count, rgb: [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255], far: 1e6, place: 0 };
  });
  const palette = [];
  while (palette.length < Math.min(most, colours.length)) {
    const next = colours.reduce((a, b) => (a.far * a.count < b.far * b.count ? b : a));
    for (const each of colours) {
      const far = each.rgb.reduce((sum, value, at) => sum + (value - next.rgb[at]) ** 2, 0);
      if (far < each.far) Object.assign(each, { far, place: palette.length });
    }
    palette.push(next.rgb);
  }
  const places = new Map(colours.map((each) => [each.pixel, each.place]));
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(places.get(pixel));
  return [image.width, image.height, palette.flat(), btoa(text)];
}"""


def small_png(png: bytes, page: Page) -> bytes:
    """``page``: an empty one, in which the colours are counted."""
    question = [base64.b64encode(png).decode(), COLOURS]
    width, height, palette, places = page.evaluate(TO_PALETTE, question)
    pixels = base64.b64decode(places)
    lines = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", bytes(palette)), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
