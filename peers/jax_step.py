"""Times one training step in JAX: forward, backward and AdamW in one jitted call.

    python jax_step.py --model encoder|mlp --threads 2

XLA sizes its thread pool by the processors it may run on, so the number of
threads is set from outside, with `taskset`.
"""

import argparse
import os
from functools import partial

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", choices=["encoder", "mlp"], required=True)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["NPROC"] = str(args.threads)  # read once, when JAX starts

import jax
import jax.numpy as jnp
import jaxlib

from measure import measure, print_step_report

BATCH, TOKENS, FEATURES, OUTPUT = 224, 42, 16, 96
WIDTH, HEADS, FEED_FORWARD, LAYERS = 128, 8, 256, 3
LEARNING_RATE, BETA1, BETA2, EPSILON, WEIGHT_DECAY = 1e-3, 0.9, 0.999, 1e-8, 0.01


def init_linear(key, inputs, outputs):
    bound = inputs**-0.5
    weight_key, bias_key = jax.random.split(key)
    return {
        "weight": jax.random.uniform(weight_key, (inputs, outputs), minval=-bound, maxval=bound),
        "bias": jax.random.uniform(bias_key, (outputs,), minval=-bound, maxval=bound),
    }


def init_norm():
    return {"weight": jnp.ones(WIDTH), "bias": jnp.zeros(WIDTH)}


def linear(parameters, x):
    return x @ parameters["weight"] + parameters["bias"]


def layer_norm(parameters, x):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * parameters["weight"] + parameters["bias"]


def init_encoder(key):
    keys = iter(jax.random.split(key, 3 + 4 * LAYERS))
    return {
        "embed": init_linear(next(keys), FEATURES, WIDTH),
        "position": jax.random.uniform(next(keys), (TOKENS, WIDTH), minval=-0.02, maxval=0.02),
        "layers": [
            {
                "query_key_value": init_linear(next(keys), WIDTH, 3 * WIDTH),
                "project": init_linear(next(keys), WIDTH, WIDTH),
                "norm1": init_norm(),
                "linear1": init_linear(next(keys), WIDTH, FEED_FORWARD),
                "linear2": init_linear(next(keys), FEED_FORWARD, WIDTH),
                "norm2": init_norm(),
            }
            for _ in range(LAYERS)
        ],
        "head": init_linear(next(keys), TOKENS * WIDTH, OUTPUT),
    }


def attend(layer, x):
    packed = linear(layer["query_key_value"], x)
    packed = packed.reshape(BATCH, TOKENS, 3, HEADS, WIDTH // HEADS)
    query, key, value = packed[:, :, 0], packed[:, :, 1], packed[:, :, 2]
    context = jax.nn.dot_product_attention(query, key, value)
    return linear(layer["project"], context.reshape(BATCH, TOKENS, WIDTH))


def encoder(parameters, x):
    x = linear(parameters["embed"], x) + parameters["position"]
    for layer in parameters["layers"]:
        x = layer_norm(layer["norm1"], x + attend(layer, x))
        hidden = jax.nn.gelu(linear(layer["linear1"], x), approximate=False)
        x = layer_norm(layer["norm2"], x + linear(layer["linear2"], hidden))
    return linear(parameters["head"], x.reshape(BATCH, TOKENS * WIDTH))


def init_mlp(key):
    keys = jax.random.split(key, 3)
    sizes = [96, 512, 512, 96]
    return [init_linear(keys[i], sizes[i], sizes[i + 1]) for i in range(3)]


def mlp(parameters, x):
    x = jax.nn.relu(linear(parameters[0], x))
    x = jax.nn.relu(linear(parameters[1], x))
    return linear(parameters[2], x)


def adamw(parameter, gradient, moment1, moment2, step):
    moment1 = BETA1 * moment1 + (1 - BETA1) * gradient
    moment2 = BETA2 * moment2 + (1 - BETA2) * jnp.square(gradient)
    mean = moment1 / (1 - BETA1**step)
    variance = moment2 / (1 - BETA2**step)
    parameter = parameter * (1 - LEARNING_RATE * WEIGHT_DECAY)
    parameter = parameter - LEARNING_RATE * mean / (jnp.sqrt(variance) + EPSILON)
    return parameter, moment1, moment2


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def train_step(forward, state, x, y):
    parameters, moments1, moments2, step = state
    step = step + 1

    def compute_loss(parameters):
        return jnp.square(forward(parameters, x) - y).mean()

    loss, gradients = jax.value_and_grad(compute_loss)(parameters)
    leaves, tree = jax.tree.flatten(parameters)
    updated = [
        adamw(*leaf, step)
        for leaf in zip(
            leaves, jax.tree.leaves(gradients), jax.tree.leaves(moments1), jax.tree.leaves(moments2)
        )
    ]
    parameters, moments1, moments2 = (jax.tree.unflatten(tree, part) for part in zip(*updated))
    return (parameters, moments1, moments2, step), loss


def main():
    key = jax.random.key(0)
    if args.model == "encoder":
        forward, parameters = encoder, init_encoder(key)
        input_shape, target_shape = (BATCH, TOKENS, FEATURES), (BATCH, OUTPUT)
    else:
        forward, parameters = mlp, init_mlp(key)
        input_shape, target_shape = (32, 96), (32, 96)
    x = jax.random.normal(jax.random.key(1), input_shape)
    y = jax.random.normal(jax.random.key(2), target_shape)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    count = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    state = (parameters, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.float32))

    def step():
        nonlocal state
        state, loss = train_step(forward, state, x, y)
        return loss.block_until_ready()

    first = float(step())
    step_ms = measure(step)
    print_step_report(
        args.model, args.threads, step_ms, count, [first, float(step())],
        {"jax": jax.__version__, "jaxlib": jaxlib.__version__},
    )


if __name__ == "__main__":
    main()
