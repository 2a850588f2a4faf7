/* Rounds towards minus infinity, as shifts of negative numbers need not. */
static int64_t phase_graph_shift(int64_t value, int bits) {
    int64_t one = (int64_t)1 << bits;
    return value >= 0 ? value / one : -((-value + one - 1) / one);
}

static int16_t phase_graph_turn(int32_t a, int32_t b, int32_t steps) {
    int32_t sum = a + b;
    return (int16_t)(sum >= steps ? sum - steps : sum);
}

static int32_t phase_graph_signal(int16_t phase, int16_t magnitude) {
    return (int32_t)phase_graph_cosines[phase] * phase_graph_sizes[magnitude];
}

static int16_t phase_graph_held[2][PHASE_GRAPH_NODES][PHASE_GRAPH_DIMENSIONS];
static int16_t phase_graph_arriving[2][PHASE_GRAPH_NODES][PHASE_GRAPH_DIMENSIONS];
static int32_t phase_graph_strength[PHASE_GRAPH_NODES];
static int32_t phase_graph_arriving_strength[PHASE_GRAPH_NODES];
/* Where each active node radiates to; one more than needed, as C has no empty arrays. */
static uint16_t phase_graph_reached[PHASE_GRAPH_NODES][PHASE_GRAPH_RADIATION + 1];

static int32_t phase_graph_saturating(int32_t a, int32_t b) {
    int64_t sum = (int64_t)a + b;
    return sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
}

static void phase_graph_deliver(uint32_t source, uint32_t target) {
    int16_t phase[PHASE_GRAPH_DIMENSIONS], magnitude[PHASE_GRAPH_DIMENSIONS];
    int32_t strength = 0;
    for (int i = 0; i < PHASE_GRAPH_DIMENSIONS; i++) {
        uint32_t own = target * PHASE_GRAPH_DIMENSIONS + i;
        phase[i] = phase_graph_turn(phase_graph_held[0][source][i], phase_graph_phase[own], PHASE_GRAPH_PHASES);
        magnitude[i] =
            phase_graph_turn(phase_graph_held[1][source][i], phase_graph_magnitude[own], PHASE_GRAPH_MAGNITUDES);
        strength += (int32_t)phase_graph_shift(
            phase_graph_signal(phase[i], magnitude[i]),
            PHASE_GRAPH_COSINE_BITS + PHASE_GRAPH_MAGNITUDE_BITS - PHASE_GRAPH_STRENGTH_BITS);
    }
    if (strength <= 0) {
        return;
    }
    int first = phase_graph_arriving_strength[target] == 0;
    for (int i = 0; i < PHASE_GRAPH_DIMENSIONS; i++) {
        int16_t *p = &phase_graph_arriving[0][target][i], *m = &phase_graph_arriving[1][target][i];
        *p = first ? phase[i] : phase_graph_turn(*p, phase[i], PHASE_GRAPH_PHASES);
        *m = first ? magnitude[i] : phase_graph_turn(*m, magnitude[i], PHASE_GRAPH_MAGNITUDES);
    }
    phase_graph_arriving_strength[target] = phase_graph_saturating(phase_graph_arriving_strength[target], strength);
}

static int32_t phase_graph_likeness(uint32_t source, uint32_t node) {
    int32_t sum = 0;
    for (int i = 0; i < PHASE_GRAPH_DIMENSIONS; i++) {
        int16_t own = phase_graph_phase[node * PHASE_GRAPH_DIMENSIONS + i];
        sum += phase_graph_cosines[phase_graph_turn(own, phase_graph_held[0][source][i], PHASE_GRAPH_PHASES)];
    }
    return sum;
}

static void phase_graph_radiate(uint32_t source) {
    uint16_t *best = phase_graph_reached[source];
    int found = 0;
    for (uint32_t node = 0; node < PHASE_GRAPH_NODES; node++) {
        int is_static = node == source;
        for (uint32_t e = phase_graph_first[source]; e < phase_graph_first[source + 1]; e++) {
            is_static |= phase_graph_targets[e] == node;
        }
        if (is_static) {
            continue;
        }
        int32_t score = phase_graph_likeness(source, node);
        int place = found;
        while (place > 0 && phase_graph_likeness(source, best[place - 1]) < score) {
            place--;
        }
        if (place < PHASE_GRAPH_RADIATION) {
            if (found < PHASE_GRAPH_RADIATION) {
                found++;
            }
            for (int i = found - 1; i > place; i--) {
                best[i] = best[i - 1];
            }
            best[place] = (uint16_t)node;
        }
    }
    for (; found < PHASE_GRAPH_RADIATION; found++) {
        best[found] = (uint16_t)source;
    }
}

static void phase_graph_adapt(const uint8_t *levels) {
    for (int row = 0; row < PHASE_GRAPH_INPUTS * 2 * PHASE_GRAPH_DIMENSIONS; row++) {
        int64_t sum = phase_graph_bias[row];
        for (int i = 0; i < PHASE_GRAPH_FEATURES; i++) {
            sum += (int32_t)phase_graph_weights[(uint32_t)row * PHASE_GRAPH_FEATURES + i] * levels[i];
        }
        int kind = row / PHASE_GRAPH_DIMENSIONS % 2;
        int64_t steps = kind ? PHASE_GRAPH_MAGNITUDES : PHASE_GRAPH_PHASES;
        int64_t index = phase_graph_shift(sum + (((int64_t)1 << PHASE_GRAPH_SHIFT) >> 1), PHASE_GRAPH_SHIFT) % steps;
        phase_graph_held[kind][row / (2 * PHASE_GRAPH_DIMENSIONS)][row % PHASE_GRAPH_DIMENSIONS] =
            (int16_t)(index < 0 ? index + steps : index);
    }
}

static uint64_t phase_graph_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1) {
        uint64_t next = root | bit;
        if (next * next <= value) {
            root = next;
        }
    }
    return root;
}

/* The class of a sample of PHASE_GRAPH_FEATURES levels, and the score of each of the PHASE_GRAPH_CLASSES classes, unless
   scores is null: the sum of the cosines between its code and the outputs that answer, times 2^(2 * COSINE_BITS); 0 of
   all where none answers, and the class is the most frequent one. Not to be called by two threads at a time. */
static inline int phase_graph_score(const uint8_t *levels, int64_t *scores) {
    const uint32_t senders = PHASE_GRAPH_NODES - PHASE_GRAPH_OUTPUTS;
    for (uint32_t node = 0; node < PHASE_GRAPH_NODES; node++) {
        phase_graph_strength[node] = node < PHASE_GRAPH_INPUTS ? (int32_t)1 << PHASE_GRAPH_STRENGTH_BITS : 0;
        phase_graph_arriving_strength[node] = 0;
    }
    phase_graph_adapt(levels);
    int any = 1, answered = 0;
    for (uint32_t step = 1; step <= PHASE_GRAPH_STEPS_MAX && any; step++) {
        for (uint32_t source = 0; source < senders; source++) {
            if (phase_graph_strength[source] > 0) {
                for (uint32_t e = phase_graph_first[source]; e < phase_graph_first[source + 1]; e++) {
                    phase_graph_deliver(source, phase_graph_targets[e]);
                }
                phase_graph_radiate(source);
                for (int i = 0; i < PHASE_GRAPH_RADIATION; i++) {
                    if (phase_graph_reached[source][i] != source) {
                        phase_graph_deliver(source, phase_graph_reached[source][i]);
                    }
                }
            }
        }
        any = answered = 0;
        for (uint32_t node = 0; node < PHASE_GRAPH_NODES; node++) {
            int32_t *strength = &phase_graph_strength[node], *arriving = &phase_graph_arriving_strength[node];
            for (int i = 0; *arriving > 0 && i < PHASE_GRAPH_DIMENSIONS; i++) {
                int16_t *p = &phase_graph_held[0][node][i], *m = &phase_graph_held[1][node][i];
                int16_t phase = phase_graph_arriving[0][node][i], magnitude = phase_graph_arriving[1][node][i];
                *p = *strength > 0 ? phase_graph_turn(*p, phase, PHASE_GRAPH_PHASES) : phase;
                *m = *strength > 0 ? phase_graph_turn(*m, magnitude, PHASE_GRAPH_MAGNITUDES) : magnitude;
            }
            *strength = phase_graph_saturating(*strength, *arriving);
            *arriving = 0;
            int64_t left = phase_graph_shift((int64_t)*strength * PHASE_GRAPH_DECAY, PHASE_GRAPH_DECAY_BITS);
            *strength = left < PHASE_GRAPH_STRENGTH_MIN ? 0 : (int32_t)left;
            any |= *strength > 0;
            answered |= *strength > 0 && node >= senders;
        }
        if (answered && step >= PHASE_GRAPH_STEPS_MIN) {
            break;
        }
    }
    int best = PHASE_GRAPH_FALLBACK;
    int64_t most = INT64_MIN;
    for (int candidate = 0; candidate < PHASE_GRAPH_CLASSES; candidate++) {
        int64_t sum = 0;
        for (uint32_t node = senders; answered && node < PHASE_GRAPH_NODES; node++) {
            if (phase_graph_strength[node] == 0) {
                continue;
            }
            uint64_t squares = 0;
            for (int i = 0; i < PHASE_GRAPH_DIMENSIONS; i++) {
                int64_t s = phase_graph_signal(phase_graph_held[0][node][i], phase_graph_held[1][node][i]);
                squares += (uint64_t)(s * s);
            }
            int64_t norm = (int64_t)phase_graph_root(squares);
            for (int i = 0; i < PHASE_GRAPH_DIMENSIONS; i++) {
                int64_t s = phase_graph_signal(phase_graph_held[0][node][i], phase_graph_held[1][node][i]);
                sum += s * ((int64_t)1 << PHASE_GRAPH_COSINE_BITS) / (norm > 1 ? norm : 1) *
                       phase_graph_codes[candidate * PHASE_GRAPH_DIMENSIONS + i];
            }
        }
        if (answered && sum > most) {
            most = sum;
            best = candidate;
        }
        if (scores) {
            scores[candidate] = sum;
        }
    }
    return best;
}

/* Likewise, without scores. */
static inline int phase_graph_classify(const uint8_t *levels) {
    return phase_graph_score(levels, 0);
}

/* The level that a feature of this value has. The only function with floats. */
static inline uint8_t phase_graph_level(uint32_t feature, float value) {
    double steps = ((double)value - phase_graph_low[feature]) / phase_graph_step[feature];
    if (!(steps > 0)) {
        return 0;
    }
    if (steps >= 255) {
        return 255;
    }
    uint8_t whole = (uint8_t)steps;
    return (uint8_t)(whole + (steps - whole >= 0.5));
}
