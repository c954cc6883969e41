"""Seconds of a training step of the same U-Net in PyTorch, on a batch that stays the same; and in channels-last."""

import time

import say

asked = say.request()

import torch  # noqa: E402
from torch import nn  # noqa: E402


class UNet(nn.Module):
    """What n2seg_utils.learning.networks.unet builds with narrow_decoder: as many weights in the same places."""

    def __init__(self, width, depth=2):
        super().__init__()
        sizes = [width * 2**level for level in range(depth)]
        self.down = nn.ModuleList(_pair(before, size, size) for before, size in zip([1, *sizes], sizes))
        self.middle = _pair(sizes[-1], 2 * sizes[-1], sizes[-1])
        below, up = sizes[-1], []
        for level in reversed(range(depth)):
            up.append(_pair(below + sizes[level], width, below := width * 2 ** max(0, level - 1)))
        self.up, self.last = nn.ModuleList(up), nn.Conv2d(below, 1, 1)
        self.pool, self.wider = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)

    def forward(self, x):
        """(B, 1, Y, X) -> (B, 1, Y, X)."""
        skips = []
        for level in self.down:
            skips.append(level(x))
            x = self.pool(skips[-1])
        x = self.middle(x)
        for level in self.up:
            x = level(torch.cat([self.wider(x), skips.pop()], 1))
        return self.last(x)


def _pair(before, first, second):
    return nn.Sequential(
        nn.Conv2d(before, first, 3, padding="same"), nn.ReLU(), nn.Conv2d(first, second, 3, padding="same"), nn.ReLU()
    )


def stepper(layout):
    """A function that takes one step."""
    network = UNet(asked["width"]).to(device=device, memory_format=layout)
    batch = torch.randn(asked["batch"], 1, asked["patch"], asked["patch"]).to(device=device, memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), 0.001)

    def step():
        optimizer.zero_grad()
        ((network(batch) - batch) ** 2).mean().backward()
        optimizer.step()

    step.weights = sum(values.numel() for values in network.parameters())
    return step


def seconds(step, steps):
    """Of a step."""
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / steps


device = "cuda" if torch.cuda.is_available() else "cpu"
say.tell_versions("torch", device="GPU" if device == "cuda" else "CPU", backend="torch")
steppers = {"usual": stepper(torch.contiguous_format), "channels_last": stepper(torch.channels_last)}
for step in steppers.values():
    seconds(step, 3)
for turn in range(asked["turns"]):
    order = list(steppers)[:: 1 if turn % 2 == 0 else -1]
    say.tell(values={name: seconds(steppers[name], asked["steps"]) for name in order})
say.tell(settings={"weights": steppers["usual"].weights, "threads": torch.get_num_threads()})
