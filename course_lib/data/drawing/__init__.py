"""What every drawn set is made of: a canvas, shapes, textures and letters, all as whole NumPy batches.

The same picture must come out on every machine, since the sets are checked by hash. Three habits see to it:

* random numbers come from ``numpy.random.default_rng`` (PCG64) only, all of a set's factors before its
  pixels;
* sines, square roots of random numbers and matrix products are computed in float64, where the last digit may
  differ between processors without ever reaching a grey level;
* what is computed per pixel in float32 uses only ``+ - * /``, ``sqrt``, comparisons and rounding, which IEEE
  754 fixes to the last bit.
"""
