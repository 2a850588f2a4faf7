"""Times one training step in PyTorch: forward, backward, AdamW.

    python torch_step.py --model encoder|mlp|lstm|attention-1k|attention-4k|attention-16k --threads 2 [--compile] [--autocast] [--optimizer fused]
"""

import argparse

import torch
from torch import nn
from torch.nn import functional as F

from measure import measure, print_step_report

BATCH, TOKENS, FEATURES, OUTPUT = 224, 42, 16, 96
WIDTH, HEADS, FEED_FORWARD, LAYERS = 128, 8, 256, 3


class EncoderLayer(nn.Module):
    """What `nn.TransformerEncoderLayer` computes, without the checks around it
    (its fast path is for inference only), attention in PyTorch's fused form."""

    def __init__(self):
        super().__init__()
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.project = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-5)
        self.linear1 = nn.Linear(WIDTH, FEED_FORWARD)
        self.linear2 = nn.Linear(FEED_FORWARD, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-5)

    def forward(self, x):
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.linear2(F.gelu(self.linear1(x))))

    def attend(self, x):
        batch, tokens, width = x.shape
        packed = self.query_key_value(x).view(batch, tokens, 3, HEADS, width // HEADS)
        query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        context = F.scaled_dot_product_attention(query, key, value)
        return self.project(context.transpose(1, 2).reshape(batch, tokens, width))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(FEATURES, WIDTH)
        self.position = nn.Parameter(torch.empty(TOKENS, WIDTH).uniform_(-0.02, 0.02))
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.head = nn.Linear(TOKENS * WIDTH, OUTPUT)

    def forward(self, x):
        x = self.embed(x) + self.position
        for layer in self.layers:
            x = layer(x)
        return self.head(x.flatten(1))


def mlp():
    return nn.Sequential(
        nn.Linear(96, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 96)
    )


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(7, 128, num_layers=2, batch_first=True)
        self.head = nn.Linear(128, OUTPUT)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


# Positions of causal attention over 8 heads of 64.
ATTENTION = {"attention-1k": 1024, "attention-4k": 4096, "attention-16k": 16384}


class Attention(nn.Module):
    """Queries, keys and values themselves are what gradients are taken of."""

    def __init__(self, positions):
        super().__init__()
        self.qkv = nn.ParameterList(nn.Parameter(torch.randn(1, 8, positions, 64)) for _ in range(3))

    def forward(self, _):
        return F.scaled_dot_product_attention(*self.qkv, is_causal=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["encoder", "mlp", "lstm", *ATTENTION], required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile the forward and loss")
    parser.add_argument(
        "--autocast", action="store_true", help="forward and loss in bf16 where PyTorch deems it safe"
    )
    parser.add_argument(
        "--optimizer", choices=["fused", "foreach", "compiled"], default="fused",
        help="how AdamW's update runs: one fused kernel, lists of tensors, or torch.compile",
    )
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.model == "encoder":
        model, input_shape, target_shape = Encoder(), (BATCH, TOKENS, FEATURES), (BATCH, OUTPUT)
    elif args.model == "mlp":
        model, input_shape, target_shape = mlp(), (32, 96), (32, 96)
    elif args.model == "lstm":
        model, input_shape, target_shape = Lstm(), (32, 96, 7), (32, OUTPUT)
    else:
        positions = ATTENTION[args.model]
        model, input_shape, target_shape = Attention(positions), (1,), (1, 8, positions, 64)
    x, y = torch.randn(input_shape), torch.randn(target_shape)

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01,
        **({"fused": True} if args.optimizer == "fused" else {"foreach": True}),
    )
    update = torch.compile(optimizer.step) if args.optimizer == "compiled" else optimizer.step

    def compute_loss(x, y):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.autocast):
            return F.mse_loss(model(x), y)

    if args.compile:
        compute_loss = torch.compile(compute_loss)

    def step():
        loss = compute_loss(x, y)
        loss.backward()
        if args.model not in ATTENTION:  # it has no weights
            update()
        optimizer.zero_grad(set_to_none=True)
        return loss

    first = step().item()
    step_ms = measure(step)
    print_step_report(
        args.model, args.threads, step_ms,
        sum(parameter.numel() for parameter in model.parameters()),
        [first, step().item()],
        {
            "torch": torch.__version__,
            "mkl": _configured("Math Kernel Library Version"),
            "onednn": _configured("MKL-DNN"),
            "vector code": torch.backends.cpu.get_cpu_capability(),
        },
    )


def _configured(name):
    """The line of PyTorch's build description that names a library, shortened."""
    for line in torch.__config__.show().splitlines():
        if name in line:
            words = line.split(name, 1)[1].split()
            return words[0]
    return None


if __name__ == "__main__":
    main()
