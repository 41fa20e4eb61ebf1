"""What every encoder, decoder and classifier of the mirrored nets keeps to, whatever its architecture."""

import pytest
import torch
from torch import nn

from course_lib.nets import mirrored
from course_lib.nets.mirrored import Encoded
from course_lib.nets.mirrored import parts as contract
from tests.nets.mirrored_nets import RECTIFIERS, SMALL, WAYS, images, parts, settled, small, steps

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def test_names_build_their_families():
    assert mirrored.names() == list(SMALL)
    for name in SMALL:
        family = small(name)
        assert isinstance(family, mirrored.Family) and family.name == name
        assert family.ups == (("stride",) if name == "shake_shake" else ("nearest", "unpool"))


@pytest.mark.parametrize("name, up", WAYS)
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_mirror(name, up, channels):
    family = small(name, classes=7, channels=channels)
    x = images(name, batch=2, channels=channels, dtype=torch.float32)
    e = family.make_encoder()(x)
    d = family.make_decoder(up)(e.h, e.switches)
    assert e.h.shape[:2] == (2, family.latent) and d.x.shape == x.shape
    assert family.make_classifier()(e.h).shape == (2, 7)
    assert [type(kept) for kept in (e.taps, e.switches, d.taps)] == [tuple] * 3
    assert [tap.shape for tap in d.taps] == [tap.shape for tap in e.taps]
    assert len(e.taps) == {"conv_stl": 3, "shake_shake": 3, "resnet50": 4}.get(name, 2)
    assert all(a.shape[2] >= b.shape[2] for a, b in zip(e.taps, e.taps[1:]))  # nearest to the image first
    assert all(tap is not e.h and tap.data_ptr() != e.h.data_ptr() for tap in e.taps)
    assert not any(torch.equal(tap, e.h) for tap in d.taps if tap.shape == e.h.shape)


@pytest.mark.parametrize("name", SMALL)
def test_height_and_width_may_differ(name):
    if name == "conv_shade":
        pytest.skip("its dense layer holds it to one side")
    encoder, decoder, classifier = parts(name, small(name).ups[-1])
    x = torch.cat((images(name), images(name, seed=1)), 3)
    e = encoder(x)
    assert decoder(e.h, e.switches).x.shape == x.shape and classifier(e.h).shape == (4, 5)


@pytest.mark.parametrize("name, up", WAYS)
def test_the_last_layer_of_a_decoder_is_linear(name, up):
    encoder, decoder, _ = settled(name, up)
    with torch.no_grad():
        e = encoder(images(name))
        before = decoder(e.h, e.switches)
        last, _ = steps(decoder, e.h, e.switches)[-1]
        assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
        assert before.x.min() < 0 < before.x.max()
        for parameter in (last.weight, last.bias):
            parameter.mul_(-2)
        after = decoder(e.h, e.switches)
    torch.testing.assert_close(after.x, -2 * before.x)
    assert all(torch.equal(a, b) for a, b in zip(before.taps, after.taps))


@pytest.mark.parametrize("name, up", WAYS)
def test_only_unpooling_reads_the_switches(name, up):
    encoder, decoder, _ = settled(name, up)
    with torch.no_grad():
        e, other = encoder(images(name)), encoder(images(name, seed=1))
        own, strange = decoder(e.h, e.switches).x, decoder(e.h, other.switches).x
        assert torch.equal(own, strange) == (up != "unpool")
        if up != "unpool":
            assert torch.equal(own, decoder(e.h).x)
            return
        for place in range(len(e.switches)):  # each of them counts
            mixed = [*e.switches[:place], other.switches[place], *e.switches[place + 1 :]]
            assert not torch.allclose(decoder(e.h, mixed).x, own)
        for wrong in ((), (*e.switches, e.switches[0])):
            with pytest.raises(ValueError, match=f"switches are {len(wrong)}"):
                decoder(e.h, wrong)


@pytest.mark.parametrize("name", [name for name in SMALL if name != "shake_shake"])
def test_unpooling_puts_values_where_the_maxima_stood(name):
    """The encoder's pooling and the decoder's way back, written out with loops."""
    encoder, decoder, _ = parts(name, "unpool")
    pools, unpools = [], []
    for net, kind, seen in ((encoder, nn.MaxPool2d, pools), (decoder, nn.MaxUnpool2d, unpools)):
        for module in net.modules():
            if isinstance(module, kind):
                module.register_forward_hook(lambda _, given, out, seen=seen: seen.append((given[0], out)))
    e = encoder(images(name, batch=1))
    decoder(e.h, e.switches)
    assert len(pools) == len(unpools) == len(e.switches) > 0
    for (maps, (pooled, _)), (small_maps, large) in zip(pools, reversed(unpools)):
        expected = torch.zeros_like(maps)
        for c in range(maps.shape[1]):
            for i in range(0, maps.shape[2], 2):
                for j in range(0, maps.shape[3], 2):
                    window = maps[0, c, i : i + 2, j : j + 2]
                    down, right = divmod(int(window.argmax()), 2)
                    assert pooled[0, c, i // 2, j // 2] == window[down, right]
                    expected[0, c, i + down, j + right] = small_maps[0, c, i // 2, j // 2]
        assert torch.equal(large, expected)


@pytest.mark.parametrize("name", [name for name in SMALL if name != "shake_shake"])
def test_repetition_is_of_the_nearest(name):
    encoder, decoder, _ = parts(name)
    seen = []
    for module in decoder.modules():
        if isinstance(module, nn.Upsample):
            module.register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
    decoder(encoder(images(name)).h)
    assert seen
    for maps, large in seen:
        assert torch.equal(large, maps.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("name, up", WAYS)
def test_every_call_draws_a_net_of_its_own(name, up):
    torch.manual_seed(0)
    family = small(name)
    for make in (family.make_encoder, lambda: family.make_decoder(up), family.make_classifier):
        first, second = make(), make()
        assert {p.data_ptr() for p in first.parameters()}.isdisjoint(
            p.data_ptr() for p in second.parameters()
        )
        weights = zip(first.parameters(), second.parameters())
        assert not any(torch.equal(a, b) for a, b in weights if a.ndim > 1)
    again = parts(name, up), parts(name, up)
    for first, second in zip(*again):
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))


@pytest.mark.parametrize("name, up", WAYS)
def test_gradients_reach_every_parameter(name, up):
    encoder, decoder, classifier = parts(name, up)
    e = encoder(images(name))
    (decoder(e.h, e.switches).x.square().sum() + classifier(e.h).square().sum()).backward()
    for part in (encoder, decoder, classifier):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


@pytest.mark.parametrize("name, up", WAYS)
def test_evaluation_looks_at_each_image_alone_and_draws_nothing(name, up):
    encoder, decoder, classifier = settled(name, up)
    x, random = images(name), torch.get_rng_state()
    with torch.no_grad():
        e, alone = encoder(x), encoder(x[1:2])
        d, d_alone = decoder(e.h, e.switches), decoder(alone.h, alone.switches)
        torch.testing.assert_close(alone.h, e.h[1:2])
        torch.testing.assert_close(d_alone.x, d.x[1:2])
        torch.testing.assert_close(classifier(alone.h), classifier(e.h)[1:2])
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("name, up", WAYS)
def test_taps_stay_as_they_were(name, up):
    """No layer that follows works in place on a tap, and a tap holds what its own layers made."""
    encoder, decoder, _ = parts(name, up)
    made = []
    for net in (encoder, decoder):
        for module in net.modules():
            module.register_forward_hook(
                lambda _, __, out: made.append((out, out.detach().clone())) if torch.is_tensor(out) else None
            )
    e = encoder(images(name))
    d = decoder(e.h, e.switches)
    copies = {id(out): copy for out, copy in made}
    for tap in (*e.taps, *d.taps):
        assert id(tap) not in copies or torch.equal(tap, copies[id(tap)])
    assert sum(id(tap) in copies for tap in d.taps) == len(d.taps)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name, up", WAYS)
def test_types_layouts_and_devices(name, up, device):
    encoder, decoder, classifier = (part.to(device) for part in settled(name, up))
    x = images(name).to(device)

    def run(x):
        with torch.no_grad():
            e = encoder(x)
            return e.h, *e.taps, *decoder(e.h, e.switches), classifier(e.h)

    h, *_, logits = run(x)
    assert h.dtype == logits.dtype == torch.float64 and h.device == x.device
    for part in (encoder, decoder, classifier):
        part.to(memory_format=torch.channels_last)
    torch.testing.assert_close(run(x.contiguous(memory_format=torch.channels_last)), run(x))
    for part in (encoder, decoder, classifier):
        part.float()
    with torch.autocast(device, dtype=torch.bfloat16):
        *_, short = run(x.float())
    assert short.dtype == torch.bfloat16 and (short.double() - logits).abs().max() < 0.1 * logits.abs().max()


@pytest.mark.parametrize("name, up", WAYS)
def test_autocast_trains(name, up):
    encoder, decoder, classifier = parts(name, up, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        e = encoder(images(name, dtype=torch.float32))
        loss = decoder(e.h, e.switches).x.float().square().mean() + classifier(e.h).float().square().mean()
    loss.backward()
    for part in (encoder, decoder, classifier):
        assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in part.parameters())


@pytest.mark.parametrize("name, up", WAYS)
def test_each_rectifier_is_used_once_in_the_order_of_the_modules(name, up):
    encoder, decoder, classifier = parts(name, up)
    e = encoder(images(name))
    for net, given in ((encoder, (images(name),)), (decoder, (e.h, e.switches)), (classifier, (e.h,))):
        used = [module for module, _ in steps(net, *given) if isinstance(module, RECTIFIERS)]
        there = [module for module in net.modules() if isinstance(module, RECTIFIERS)]
        if name == "resnet50" and net is encoder:  # torchvision's blocks use one of them three times
            assert len(used) == 1 + 3 * 4 and set(used) == set(there)
        else:
            assert used == there and not any(module.inplace for module in used)


@pytest.mark.parametrize("name", SMALL)
def test_state_goes_through_a_file(name, tmp_path):
    first, second = parts(name, small(name).ups[-1]), parts(name, small(name).ups[-1], seed=1)
    x = images(name)
    for a, b in zip(first, second):
        torch.save(a.state_dict(), tmp_path / "part.pt")
        b.load_state_dict(torch.load(tmp_path / "part.pt", weights_only=True))
        a.eval(), b.eval()
    with torch.no_grad():
        e, again = first[0](x), second[0](x)
        assert torch.equal(first[1](*e[::2]).x, second[1](*again[::2]).x)
        assert torch.equal(first[2](e.h), second[2](again.h))


@pytest.mark.parametrize("name", SMALL)
def test_what_cannot_be_is_refused_in_one_sentence(name):
    family = small(name)
    encoder = family.make_encoder()
    side = SMALL[name][1]
    for shape in ((3, side, side), (2, 1, side, side), (2, 3, side, side, 1)):
        with pytest.raises(ValueError, match=r"takes \(B, 3, H, W\)"):
            encoder(torch.zeros(shape))
    for shape in ((2, 3, side + 2, side), (2, 3, side, side + 2), (2, 3, side + 1, side)):
        with pytest.raises(ValueError, match=r"multiples of \d+\."):
            encoder(torch.zeros(shape))
    with pytest.raises(ValueError, match="up is 'bilinear', possible are " + ", ".join(family.ups)):
        family.make_decoder("bilinear")


def test_no_such_net():
    with pytest.raises(ValueError, match="'vgg', possible are conv_large, .*resnet50"):
        mirrored.build("vgg")
    with pytest.raises(ValueError, match="'stride', possible are nearest, unpool"):
        contract.check_up("stride")


def test_an_encoder_need_not_have_taps():
    assert Encoded(torch.zeros(1))[1:] == ((), ()) and contract.Decoded(torch.zeros(1)).taps == ()
    with pytest.raises(AttributeError):
        small("conv_small").name = "other"
