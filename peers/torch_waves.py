"""Times one training step of a wave network in PyTorch: full batch, mean squared error, Adam.

    python torch_waves.py --model waves-1d|waves-4d|waves-6d|siren|siren-image --threads 2 [--modules] [--compile]

The packets are those of the Quasimoto reference: A cos(k.x - w t) exp(-|x - v t|^2 / (2 sigma^2))
sin(phi + epsilon cos(lambda.x)), their sum by a linear layer. With --modules every packet is a module of its own, as
there; otherwise all of them are computed at once.
"""

import argparse
import math

import torch
from torch import nn
from torch.nn import functional as F

from measure import measure, print_step_report

# Packets, axes of space, points along each axis, and the range of an axis.
WAVES = {"waves-1d": (16, 1, 1000, 10.0), "waves-4d": (8, 3, 20, 5.0), "waves-6d": (6, 5, 8, 3.0)}
# Inputs, width, hidden layers.
SIRENS = {"siren": (1, 64, 2), "siren-image": (2, 256, 4)}


class Packet(nn.Module):
    """One packet: every number a parameter of its own."""

    def __init__(self, space):
        super().__init__()
        self.amplitude = nn.Parameter(torch.ones(1))
        self.frequency = nn.Parameter(torch.randn(space))
        self.omega = nn.Parameter(torch.randn(1))
        self.velocity = nn.Parameter(torch.randn(space))
        self.log_sigma = nn.Parameter(torch.zeros(1))
        self.phase = nn.Parameter(torch.zeros(1))
        self.epsilon = nn.Parameter(torch.full((1,), 0.1))
        self.modulation = nn.Parameter(torch.randn(space))

    def forward(self, x, t):
        carrier = torch.cos((x * self.frequency).sum(-1, keepdim=True) - self.omega * t)
        distance = (x - self.velocity * t).square().sum(-1, keepdim=True)
        envelope = torch.exp(-0.5 * distance / torch.exp(2 * self.log_sigma))
        inner = torch.cos((x * self.modulation).sum(-1, keepdim=True))
        return self.amplitude * carrier * envelope * torch.sin(self.phase + self.epsilon * inner)


class Modules(nn.Module):
    """A list of packets, called one after the other."""

    def __init__(self, count, space):
        super().__init__()
        self.packets = nn.ModuleList(Packet(space) for _ in range(count))
        self.head = nn.Linear(count, 1)

    def forward(self, x, t):
        return self.head(torch.cat([packet(x, t) for packet in self.packets], dim=-1))


class Vectorised(nn.Module):
    """All packets at once: points by packets."""

    def __init__(self, count, space):
        super().__init__()
        self.amplitude = nn.Parameter(torch.ones(count))
        self.frequency = nn.Parameter(torch.randn(space, count))
        self.omega = nn.Parameter(torch.randn(count))
        self.velocity = nn.Parameter(torch.randn(space, count))
        self.log_sigma = nn.Parameter(torch.zeros(count))
        self.phase = nn.Parameter(torch.zeros(count))
        self.epsilon = nn.Parameter(torch.full((count,), 0.1))
        self.modulation = nn.Parameter(torch.randn(space, count))
        self.head = nn.Linear(count, 1)

    def forward(self, x, t):
        if x.shape[1] == 1:
            carrier, inner = x * self.frequency, x * self.modulation
            distance = (x - self.velocity * t).square()
        else:
            carrier, inner = x @ self.frequency, x @ self.modulation
            distance = (x[:, :, None] - self.velocity * t[:, :, None]).square().sum(1)
        envelope = torch.exp(-0.5 * distance * torch.exp(-2 * self.log_sigma))
        modulated = torch.sin(self.phase + self.epsilon * torch.cos(inner))
        return self.head(self.amplitude * torch.cos(carrier - self.omega * t) * envelope * modulated)


class Siren(nn.Module):
    """sin(30 (W x + b)) layers and a linear head (Sitzmann et al. 2020)."""

    def __init__(self, inputs, width, hidden):
        super().__init__()
        sizes = [inputs] + [width] * hidden
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.head = nn.Linear(width, 1)
        for number, layer in enumerate(self.layers):
            bound = 1 / layer.in_features if number == 0 else math.sqrt(6 / width) / 30
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, x):
        for layer in self.layers:
            x = torch.sin(30 * layer(x))
        return self.head(x)


def grid(axes, points, reach):
    line = torch.linspace(-reach, reach, points)
    return torch.stack(torch.meshgrid(*[line] * axes, indexing="ij"), -1).reshape(-1, axes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=[*WAVES, *SIRENS], required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--modules", action="store_true", help="a module for every packet")
    parser.add_argument("--compile", action="store_true", help="torch.compile the forward and loss")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.model in WAVES:
        count, space, points, reach = WAVES[args.model]
        model = (Modules if args.modules else Vectorised)(count, space)
        x = grid(space, points, reach)
        # Time varies; the target is anything that does not vanish.
        inputs = (x, torch.rand(len(x), 1))
    else:
        size, width, hidden = SIRENS[args.model]
        model = Siren(size, width, hidden)
        x = grid(size, 1000 if size == 1 else 256, 1.0)
        inputs = (x,)
    target = torch.sin(3 * x[:, :1])

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def compute_loss(*inputs):
        return F.mse_loss(model(*inputs), target)

    if args.compile:
        compute_loss = torch.compile(compute_loss)

    def step():
        loss = compute_loss(*inputs)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    first = step().item()
    step_ms = measure(step)
    print_step_report(
        args.model, args.threads, step_ms,
        sum(parameter.numel() for parameter in model.parameters()),
        [first, step().item()],
        {"torch": torch.__version__, "vector code": torch.backends.cpu.get_cpu_capability()},
    )


if __name__ == "__main__":
    main()
