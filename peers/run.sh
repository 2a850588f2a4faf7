#!/usr/bin/env bash
# Compares Bessemer with other software, side by side on this machine:
#
#   peers/run.sh [name...] [--json FILE] [--threads 2] [--rounds 7] [--only TEXT] [--data DIR]
#
# The names are encoder, mlp, lstm, attention-1k, attention-4k, attention-16k,
# waves-1d, waves-4d, waves-6d, siren, siren-image, waves for these five,
# neuralforecast-dlinear, neuralforecast-nhits, neuralforecast-patchtst, and
# neuralforecast for those three; all by default.
# What is needed is installed into peers/.venv and built first. README.md says
# how to read the result.
set -euo pipefail

peers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$peers")
python=${PYTHON:-python3}

# Which families were asked for: the words that are neither options nor their values.
steps=no fits=no named=no skip=no
for word in "$@"; do
    if [ "$skip" = yes ]; then
        skip=no
        continue
    fi
    case $word in
        -h | --help) exec "$python" "$peers/compare.py" --help ;;
        --*=*) ;;
        --*) skip=yes ;;
        neuralforecast*) fits=yes named=yes ;;
        *) steps=yes named=yes ;;
    esac
done
if [ "$named" = no ]; then
    steps=yes fits=yes
fi

[ -d "$peers/.venv" ] || "$python" -m venv "$peers/.venv"
packages=(torch numpy)
[ "$steps" = no ] || packages+=("jax[cpu]")
[ "$fits" = no ] || packages+=(neuralforecast pandas)
echo "python packages: ${packages[*]}" >&2
"$peers/.venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint "$peers/requirements.txt" "${packages[@]}"

mkdir -p "$peers/target"
if [ "$(uname -s)" = Linux ]; then
    "${CC:-gcc}" -O2 -shared -fPIC -o "$peers/target/libmkl_avx512.so" "$peers/mkl_avx512.c"
fi

# A side that does not build is reported as missing; the others still run.
echo "building bessemer" >&2
cargo build --release --quiet --manifest-path "$root/Cargo.toml" ||
    echo "bessemer does not build: the comparison goes on with whatever binary there is" >&2
if [ "$steps" = yes ]; then
    echo "building rust_step (Burn, Candle)" >&2
    cargo build --release --quiet --manifest-path "$peers/Cargo.toml" ||
        echo "rust_step does not build: Burn and Candle are left out" >&2
fi

exec "$peers/.venv/bin/python" "$peers/compare.py" "$@"
