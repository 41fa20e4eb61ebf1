"""What an answer does with the mode of a model that it looks at: one way that is right, and wrong ones."""

import contextlib


@contextlib.contextmanager
def evaluating(model):
    """Evaluation mode; afterwards each module has the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    yield
    for module, mode in modes:
        module.training = mode


@contextlib.contextmanager
def as_it_is(model):
    yield


@contextlib.contextmanager
def left_in_evaluation(model):
    model.eval()
    yield


@contextlib.contextmanager
def all_trained_afterwards(model):
    model.eval()
    yield
    model.train()
