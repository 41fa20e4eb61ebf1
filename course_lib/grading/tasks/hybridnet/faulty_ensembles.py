"""Ensembles that go wrong, for hybridnet.temporal_ensemble: each replaces a piece of a right one."""

import torch


class Pieces:
    """All of it right."""

    def __init__(self, n, classes, alpha=0.6):
        self.alpha = alpha
        self.z = torch.zeros(n, classes)
        self.t = torch.zeros(n)
        self.now = {}  # image: its predictions in this epoch

    def target(self, index):
        return self.corrected(self.z[index], self.t[index]), self.known(self.t[index])

    def corrected(self, z, t):
        return z / (1 - self.alpha ** t.clamp(min=1))[:, None]

    def known(self, t):
        return t > 0

    def observe(self, index, prob):
        for image, prediction in zip(index.tolist(), prob.detach()):
            self.see(image, prediction)

    def see(self, image, prediction):
        self.now.setdefault(image, []).append(prediction)

    def end_epoch(self):
        for image, predictions in self.now.items():
            self.z[image] = self.moved(image, self.joined(predictions))
            self.t[image] += 1
        self.now = {}

    def joined(self, predictions):
        return sum(predictions) / len(predictions)

    def moved(self, image, prediction):
        return self.alpha * self.z[image] + (1 - self.alpha) * prediction


class Uncorrected(Pieces):
    def corrected(self, z, t):
        return z


class Multiplied(Pieces):
    def corrected(self, z, t):
        return z * (1 - self.alpha ** t.clamp(min=1))[:, None]


class OneTooMany(Pieces):
    def corrected(self, z, t):
        return z / (1 - self.alpha ** (t + 1))[:, None]


class DividedByAlpha(Pieces):
    def corrected(self, z, t):
        return z / (1 - self.alpha)


class Exchanged(Pieces):
    def moved(self, image, prediction):
        return (1 - self.alpha) * self.z[image] + self.alpha * prediction


class ExchangedThroughout(Pieces):
    def __init__(self, n, classes, alpha=0.6):
        super().__init__(n, classes, 1 - alpha)


class AlphaFixed(Pieces):
    def __init__(self, n, classes, alpha=0.6):
        super().__init__(n, classes)


class FromTheTarget(Pieces):
    """The corrected average enters the next one."""

    def moved(self, image, prediction):
        place = torch.tensor([image])
        return self.alpha * self.corrected(self.z[place], self.t[place])[0] + (1 - self.alpha) * prediction


class AveragesItself(Pieces):
    def moved(self, image, prediction):
        place = torch.tensor([image])
        target = self.corrected(self.z[place], self.t[place])[0]
        return self.alpha * self.z[image] + (1 - self.alpha) * target


class PlaceInTheBatch(Pieces):
    def target(self, index):
        return super().target(torch.arange(len(index)))

    def observe(self, index, prob):
        super().observe(torch.arange(len(index)), prob)


class ToldByPlaceInTheBatch(Pieces):
    def observe(self, index, prob):
        super().observe(torch.arange(len(index)), prob)


class AtOnce(Pieces):
    def see(self, image, prediction):
        self.now = {image: [prediction]}
        super().end_epoch()

    def end_epoch(self):
        pass


class FirstOfTheEpoch(Pieces):
    def joined(self, predictions):
        return predictions[0]


class LastOfTheEpoch(Pieces):
    def joined(self, predictions):
        return predictions[-1]


class OneCount(Pieces):
    def end_epoch(self):
        super().end_epoch()
        self.t[:] = self.t.max()


class MissingAreZero(Pieces):
    def end_epoch(self):
        for image in range(len(self.z)):
            self.now.setdefault(image, [torch.zeros_like(self.z[0])])
        super().end_epoch()


class KeepsTheEpoch(Pieces):
    def end_epoch(self):
        now = self.now
        super().end_epoch()
        self.now = now


class AlwaysKnown(Pieces):
    def known(self, t):
        return t >= 0


class KnownLate(Pieces):
    def known(self, t):
        return t > 1


class PlainMean(Pieces):
    def moved(self, image, prediction):
        return (self.z[image] * self.t[image] + prediction) / (self.t[image] + 1)

    def corrected(self, z, t):
        return z


class LastOnly(Pieces):
    def moved(self, image, prediction):
        return prediction

    def corrected(self, z, t):
        return z


class FirstTaken(Pieces):
    def moved(self, image, prediction):
        return super().moved(image, prediction) if self.t[image] else prediction

    def corrected(self, z, t):
        return z


class FromUniform(Uncorrected):
    def __init__(self, n, classes, alpha=0.6):
        super().__init__(n, classes, alpha)
        self.z += 1 / classes


class Leaks(Pieces):
    def observe(self, index, prob):
        for image, prediction in zip(index.tolist(), prob):
            self.see(image, prediction)

    def end_epoch(self):
        self.z = self.z.clone()
        super().end_epoch()


class WritesIntoTheirs(Pieces):
    def observe(self, index, prob):
        super().observe(index, prob.clone())
        prob.data.mul_(1 - self.alpha)
