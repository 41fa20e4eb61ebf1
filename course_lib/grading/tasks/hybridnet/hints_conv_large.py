"""The hints of hybridnet.conv_large."""

HINTS = (
    "Write one encoder and one decoder first, as lists of layers that the poolings cut into three stages. "
    "The two branches are made in the same way; they differ in how the decoder makes its maps larger. "
    "What has to be kept on the way up so that the way down can use it?",
    "encoder: stage 1 -> pool -> tap 1 -> dropout -> stage 2 -> pool -> tap 2 -> dropout -> stage 3 = h\n"
    "decoder: h -> stage 3 back = tap 2 -> up -> stage 2 back = tap 1 -> up -> stage 1 back = picture\n"
    "A convolution from i to o maps becomes a transposed one from o to i, in the opposite order.\n"
    "up in D_c: repeat each value 2x2.  up in D_u: max_unpool2d with the indices that E_u kept.",
    "encode(stages, x):\n"
    "  for the first two stages:\n"
    "    x, where <- max_pool2d of stage(x), with return_indices\n"
    "    keep x as a tap and where as a switch;   x <- dropout(x)\n"
    "  h <- last stage of x\n"
    "decode(stages, h, switches or nothing):\n"
    "  x <- last stage, turned round, of h\n"
    "  for the two others, from the last to the first:\n"
    "    keep x as a tap\n"
    "    x <- max_unpool2d(x, its switch, 2), or each value repeated 2x2\n"
    "    x <- stage, turned round, of x      # the very last convolution: no norm, no activation, a bias\n"
    "  the taps of the decoder come out in the opposite order",
)
