"""Times one training step of a wave network in JAX: forward, backward and Adam in one jitted call.

    python jax_waves.py --model waves-1d|waves-4d|waves-6d|siren|siren-image --threads 2

The models are those of `torch_waves.py`, all packets at once. XLA sizes its thread pool by the processors it may run
on, so the number of threads is set from outside, with `taskset`.
"""

import argparse
import os
from functools import partial

MODELS = ["waves-1d", "waves-4d", "waves-6d", "siren", "siren-image"]
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", choices=MODELS, required=True)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["NPROC"] = str(args.threads)  # read once, when JAX starts

import jax
import jax.numpy as jnp
import jaxlib

from measure import measure, print_step_report

# As in torch_waves.py.
WAVES = {"waves-1d": (16, 1, 1000, 10.0), "waves-4d": (8, 3, 20, 5.0), "waves-6d": (6, 5, 8, 3.0)}
SIRENS = {"siren": (1, 64, 2), "siren-image": (2, 256, 4)}
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def init_linear(key, inputs, outputs, bound):
    weight_key, bias_key = jax.random.split(key)
    return {
        "weight": jax.random.uniform(weight_key, (inputs, outputs), minval=-bound, maxval=bound),
        "bias": jax.random.uniform(bias_key, (outputs,), minval=-bound, maxval=bound),
    }


def linear(parameters, x):
    return x @ parameters["weight"] + parameters["bias"]


def init_waves(key, count, space):
    keys = jax.random.split(key, 5)
    return {
        "amplitude": jnp.ones(count),
        "frequency": jax.random.normal(keys[0], (space, count)),
        "omega": jax.random.normal(keys[1], (count,)),
        "velocity": jax.random.normal(keys[2], (space, count)),
        "log_sigma": jnp.zeros(count),
        "phase": jnp.zeros(count),
        "epsilon": jnp.full(count, 0.1),
        "modulation": jax.random.normal(keys[3], (space, count)),
        "head": init_linear(keys[4], count, 1, count**-0.5),
    }


def waves(p, inputs):
    x, t = inputs
    if x.shape[1] == 1:
        carrier, inner = x * p["frequency"], x * p["modulation"]
        distance = jnp.square(x - p["velocity"] * t)
    else:
        carrier, inner = x @ p["frequency"], x @ p["modulation"]
        distance = jnp.square(x[:, :, None] - p["velocity"] * t[:, :, None]).sum(1)
    envelope = jnp.exp(-0.5 * distance * jnp.exp(-2 * p["log_sigma"]))
    modulated = jnp.sin(p["phase"] + p["epsilon"] * jnp.cos(inner))
    return linear(p["head"], p["amplitude"] * jnp.cos(carrier - p["omega"] * t) * envelope * modulated)


def init_siren(key, inputs, width, hidden):
    keys = jax.random.split(key, hidden + 1)
    sizes = [inputs] + [width] * hidden
    layers = [
        init_linear(keys[i], a, b, 1 / a if i == 0 else (6 / width) ** 0.5 / 30)
        for i, (a, b) in enumerate(zip(sizes, sizes[1:]))
    ]
    return {"layers": layers, "head": init_linear(keys[-1], width, 1, width**-0.5)}


def siren(p, inputs):
    (x,) = inputs
    for layer in p["layers"]:
        x = jnp.sin(30 * linear(layer, x))
    return linear(p["head"], x)


def grid(axes, points, reach):
    line = jnp.linspace(-reach, reach, points)
    return jnp.stack(jnp.meshgrid(*[line] * axes, indexing="ij"), -1).reshape(-1, axes)


def adam(parameter, gradient, moment1, moment2, step):
    moment1 = BETA1 * moment1 + (1 - BETA1) * gradient
    moment2 = BETA2 * moment2 + (1 - BETA2) * jnp.square(gradient)
    mean = moment1 / (1 - BETA1**step)
    variance = moment2 / (1 - BETA2**step)
    return parameter - LEARNING_RATE * mean / (jnp.sqrt(variance) + EPSILON), moment1, moment2


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def train_step(forward, state, inputs, target):
    parameters, moments1, moments2, step = state
    step = step + 1

    def compute_loss(parameters):
        return jnp.square(forward(parameters, inputs) - target).mean()

    loss, gradients = jax.value_and_grad(compute_loss)(parameters)
    leaves, tree = jax.tree.flatten(parameters)
    updated = [
        adam(*leaf, step)
        for leaf in zip(
            leaves, jax.tree.leaves(gradients), jax.tree.leaves(moments1), jax.tree.leaves(moments2)
        )
    ]
    parameters, moments1, moments2 = (jax.tree.unflatten(tree, part) for part in zip(*updated))
    return (parameters, moments1, moments2, step), loss


def main():
    key = jax.random.key(0)
    if args.model in WAVES:
        count, space, points, reach = WAVES[args.model]
        forward, parameters = waves, init_waves(key, count, space)
        x = grid(space, points, reach)
        inputs = (x, jax.random.uniform(jax.random.key(1), (len(x), 1)))
    else:
        size, width, hidden = SIRENS[args.model]
        forward, parameters = siren, init_siren(key, size, width, hidden)
        x = grid(size, 1000 if size == 1 else 256, 1.0)
        inputs = (x,)
    target = jnp.sin(3 * x[:, :1])
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    count = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    state = (parameters, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.float32))

    def step():
        nonlocal state
        state, loss = train_step(forward, state, inputs, target)
        return loss.block_until_ready()

    first = float(step())
    step_ms = measure(step)
    print_step_report(
        args.model, args.threads, step_ms, count, [first, float(step())],
        {"jax": jax.__version__, "jaxlib": jaxlib.__version__},
    )


if __name__ == "__main__":
    main()
