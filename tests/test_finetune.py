"""Fine-tuning: where it starts, what it changes, how it goes on, and that it learns."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from adapting import CLASSES, classifier, differing, nouns, state
from probes.errors import InputError
from probes.transfer.examples import labelled
from probes.transfer.finetune import finetune
from probes.transfer.groups import trained_groups
from probes.transfer.linear import linear_probe
from probes.transfer.passes import score
from probes.transfer.processes import Processes
from probes.transfer.schedule import batches_of, rate_at
from probes.transfer.settings import Change, FinetuneConfig
from probes.transfer.stepping import Diverged, Stepper

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = FinetuneConfig(lr=1e-3, epochs=2, batch_size=16, norm_and_dropout="frozen")
TASK = nouns(96)  # 48 to train on: three steps an epoch


def with_(config=SHORT, **values):
    change = {k: values.pop(k) for k in list(values) if k in Change.__dataclass_fields__}
    return dataclasses.replace(config, change=Change(**change), **values)


def tuned(made, config=SHORT, **options):
    return finetune(made, TASK, config, **options)


def moved(made, config):
    """Names of the parts of the network whose weights a fine-tuning changed."""
    before = state(made)
    after, _ = tuned(made, config)
    return differing(state(after), before)


def test_it_learns_and_returns_the_best_epoch(tiny):
    task = nouns(400, wrong=0)
    made = classifier(tiny("bert"))
    after, history = finetune(made, task, with_(epochs=8, lr=2e-3))
    accuracies = [epoch.accuracy for epoch in history.epochs]
    ranks = [(epoch.accuracy, -epoch.loss) for epoch in history.epochs]
    assert history.best == ranks.index(max(ranks))
    assert len(history.losses) == 8 * 13 and accuracies[history.best] > 0.9
    dev = labelled(task, "dev", CLASSES)
    assert score(after, dev, Processes.join()) == pytest.approx(
        dataclasses.astuple(history.epochs[history.best]), rel=1e-5
    )


def test_the_argument_is_not_changed_nor_the_global_randomness(tiny):
    made = classifier(tiny("bert"))
    before, noise = state(made), torch.random.get_rng_state()
    after, _ = tuned(made, with_(norm_and_dropout="train"))
    assert not differing(state(made), before)
    assert torch.equal(torch.random.get_rng_state(), noise)
    assert len(differing(state(after), before)) > 30
    assert not any(p.requires_grad for p in after.parameters().values())


def test_lp_ft_starts_at_the_loss_of_lp(tiny):
    made = classifier(tiny("bert"))
    found = linear_probe(made, TASK)
    train = labelled(TASK, "train", CLASSES)
    whole = with_(batch_size=len(train), epochs=1)
    _, history = tuned(found.classifier, whole)
    logs = found.classifier.predict(train.items).log_probabilities
    loss = -logs[np.arange(len(train)), train.labels].mean()
    assert history.losses[0] == pytest.approx(loss, rel=1e-5)
    n_penalty = found.path[found.chosen]
    weight = found.classifier.head.weight.double()
    X, _ = made.feature_matrix(train.items)
    norm = (weight[1] - weight[0]).norm().item() * X.std()
    penalty = norm**2 / (2 * n_penalty.C * len(train))
    assert history.losses[0] == pytest.approx(n_penalty.objective - penalty, rel=1e-3)


def test_a_rate_of_nought_changes_nothing(tiny):
    made = classifier(tiny("bert"))
    for optimizer in ("adamw", "sgd"):
        assert not moved(made, with_(lr=0.0, optimizer=optimizer, weight_decay=0.1))


def test_one_step_of_sgd_is_the_gradient_of_the_mean_loss(tiny):
    made = classifier(tiny("bert"))
    train = labelled(TASK, "train", CLASSES)
    config = with_(batch_size=len(train), epochs=1, optimizer="sgd", lr=0.1, clip=None)
    after, _ = tuned(made, config)
    reference = made.copy()
    for parameter in reference.parameters().values():
        parameter.requires_grad_(True)
    logits = reference.logits(reference.features.collate(train.items))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(train.labels))
    loss.backward()
    for name, parameter in reference.parameters().items():
        expected = parameter.detach() - 0.1 * parameter.grad
        torch.testing.assert_close(after.state()[name], expected, rtol=1e-4, atol=1e-6)


def test_parts_of_a_step_add_up_to_it(tiny):
    made = classifier(tiny("bert"))
    _, whole = tuned(made)
    _, parts = tuned(made, with_(accumulate=5))
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-5)


def test_a_large_batch_is_clipped_to_its_norm(tiny):
    made = classifier(tiny("bert"))
    config = with_(optimizer="sgd", lr=1.0, clip=1e-3, batch_size=48, epochs=1)
    after, _ = tuned(made, config)
    steps = [after.state()[n] - t for n, t in state(made).items() if t.is_floating_point()]
    assert math.sqrt(sum(float(d.square().sum()) for d in steps)) == pytest.approx(1e-3, rel=1e-3)


def test_the_order_is_the_seeds_and_every_item_is_seen_once_an_epoch(tiny):
    seen = [batches_of(50, 16, 3, epoch) for epoch in range(2)]
    assert all(sorted(np.concatenate(e).tolist()) == list(range(50)) for e in seen)
    assert [len(b) for b in seen[0]] == [16, 16, 16, 2]
    assert not np.array_equal(np.concatenate(seen[0]), np.concatenate(seen[1]))
    made = classifier(tiny("bert"))
    one, same, other = (tuned(made, with_(seed=s))[1].losses for s in (0, 0, 1))
    assert one == same and one != other


def test_the_rate_rises_in_the_warmup_and_falls_as_a_cosine():
    rates = [rate_at(k, 100, 0.1) for k in range(100)]
    assert rates[:10] == sorted(rates[:10]) and rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5) and rates[-1] < 0.001 and rates[0] > 0
    assert rate_at(0, 10, 0.0) == 1.0


def test_dropout_drops_only_where_it_is_asked_to(tiny):
    made = classifier(tiny("bert"))
    frozen = tuned(made)[1].losses[0]
    first, again = (tuned(made, with_(norm_and_dropout="train"))[1].losses[0] for _ in range(2))
    assert first == again != frozen


def test_surgical_fine_tuning_changes_its_blocks_and_the_head(tiny):
    made = classifier(tiny("bert"))
    for blocks, where in (((2,), "encoder.layer.1."), ((0,), "embeddings."), ((-1,), "layer.2.")):
        names = moved(made, with_(blocks=blocks, weight_decay=0.1))
        assert {"head.weight", "head.bias"} <= set(names)
        assert all(where in name for name in names if not name.startswith("head."))
        assert len(names) > 2


def test_a_final_norm_is_a_part_of_its_own(tiny):
    names = moved(classifier(tiny("gpt2")), with_(blocks=(-1,)))
    assert {n for n in names if not n.startswith("head.")} == {
        "features.ln_f.weight",
        "features.ln_f.bias",
    }


def test_discriminative_rates_fall_from_the_head_to_the_embeddings(tiny):
    made = classifier(tiny("bert"))
    config = with_(layer_decay=0.3, epochs=1, batch_size=48, lr=1e-3)  # Adam's first step: the rate
    after, _ = tuned(made, config)
    before = state(made)

    def furthest(part):
        return max(
            float((after.state()[n] - t).abs().max())
            for n, t in before.items()
            if part in n and t.is_floating_point()
        )

    parts = ["head.", "layer.2.", "layer.1.", "layer.0.", "embeddings."]
    found = [furthest(part) for part in parts]
    np.testing.assert_allclose(found, [1e-3 * 0.3**k for k in range(5)], rtol=0.05)


def test_l2_sp_and_spd_keep_the_network_nearer_to_its_start(tiny):
    made = classifier(tiny("bert"))
    before = state(made)

    def distance(**change):
        after, _ = tuned(made, with_(epochs=6, lr=3e-3, **change))
        return sum(
            float((after.state()[n] - t).square().sum())
            for n, t in before.items()
            if n.startswith("features.") and t.is_floating_point()
        )

    free = distance()
    assert distance(l2_sp=10.0) < 0.7 * free
    assert distance(spd=1.0) < 0.9 * free


def stepped(made, config, n):
    """The weights of a classifier after each of n steps over the same items."""
    new = made.copy()
    stepper = Stepper(new, trained_groups(new, config.change), config, 1000, Processes.join())
    train = labelled(TASK, "train", CLASSES)
    found = [state(new)]
    for k in range(n):
        stepper.step(train, np.arange(16), k)
        found.append(state(new))
    return found


def test_the_gradient_of_l2_sp_is_that_of_its_penalty(tiny):
    made = classifier(tiny("bert"))
    config = with_(optimizer="sgd", lr=0.1, clip=None)
    free = stepped(made, config, 2)
    held = stepped(made, dataclasses.replace(config, change=Change(l2_sp=0.5)), 2)
    assert not differing(free[1], held[1])  # at the start there is nothing to pull
    for name in ("features.encoder.layer.1.attention.self.query.weight", "head.weight"):
        pull = 0.1 * 0.5 * (free[1][name] - free[0][name]) * (not name.startswith("head."))
        torch.testing.assert_close(free[2][name] - held[2][name], pull, rtol=0.01, atol=1e-7)


def test_spd_takes_a_share_of_the_step_back_where_the_way_was_not_down(tiny):
    made = classifier(tiny("bert"))
    config = with_(lr=3e-2)
    free = stepped(made, config, 3)
    held = stepped(made, dataclasses.replace(config, change=Change(spd=0.5)), 3)
    assert not differing(free[1], held[1])
    start, old, new = free[0], free[1], free[2]
    n_held = 0
    for name in made.parameters():
        away, further = old[name] - start[name], new[name] - start[name]
        share = ((further.norm() - away.norm()) / further.norm()).clamp(0, 1)
        back = new[name] - 0.5 * share * further
        is_back = torch.allclose(held[2][name], back, rtol=1e-5, atol=1e-7)
        assert is_back or torch.equal(held[2][name], new[name])
        n_held += is_back and not torch.equal(held[2][name], new[name])
    assert n_held > 3 and torch.equal(held[2]["head.weight"], new["head.weight"])


def test_weight_decay_spares_biases_and_norms(tiny):
    made = classifier(tiny("bert"))
    plain_, decayed = (
        tuned(made, with_(epochs=1, batch_size=48, weight_decay=w))[0].state() for w in (0.0, 0.5)
    )
    different = {n for n in plain_ if not torch.equal(plain_[n], decayed[n])}
    assert different == {n for n, p in made.parameters().items() if p.ndim > 1}


def test_patience_ends_a_training_that_gets_no_better(tiny):
    made = classifier(tiny("bert"))
    _, history = tuned(made, with_(lr=0.0, epochs=9, patience=2))
    assert len(history.epochs) == 3 and history.best == 0


def test_bfloat16_learns_much_the_same(tiny):
    made = classifier(tiny("bert"))
    a, b = (tuned(made, with_(mixed_precision=p))[1].losses for p in ("float32", "bfloat16"))
    assert a != b
    np.testing.assert_allclose(a, b, rtol=0.05)


def test_lora_changes_the_weights_it_names_and_leaves_an_ordinary_network(tiny, tmp_path):
    pytest.importorskip("peft")
    made = classifier(tiny("bert"))
    after, history = tuned(made, with_(lora_rank=2, lr=1e-2))
    names = differing(state(after), state(made))
    inner = [n for n in names if not n.startswith("head.")]
    assert inner and all(".query.weight" in n or ".value.weight" in n for n in inner)
    name = inner[0]
    change = (after.state()[name] - made.state()[name]).double()
    assert torch.linalg.matrix_rank(change, rtol=1e-3) <= 2
    after.save(tmp_path / "c")
    type(after).load(tmp_path / "c", CLASSES)
    _, again = tuned(made, with_(lora_rank=2, lr=1e-2))
    assert again.losses == history.losses
    with pytest.raises(InputError, match=r"name lora_targets among .*query"):
        tuned(made, with_(lora_rank=2, lora_targets=("nothing",)))


def test_lora_names_what_to_install(tiny, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(InputError, match=r"pip install 'layerprobes\[lora\]'"):
        tuned(classifier(tiny("bert")), with_(lora_rank=2))


def test_a_rate_that_is_too_high_is_named(tiny):
    with pytest.raises(Diverged, match=r"the loss is nan at step .* rate of 1e"):
        tuned(classifier(tiny("bert")), with_(lr=1e30, clip=None, optimizer="sgd"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lr": -1}, "lr -1"),
        ({"epochs": 0}, "epochs 0"),
        ({"optimizer": "adam"}, "'adam'.*nearest: 'adamw'"),
        ({"warmup": 1.0}, "warmup 1.0"),
        ({"clip": 0.0}, "clip 0.0"),
        ({"mixed_precision": "fp16"}, "'fp16'"),
        ({"norm_and_dropout": "off"}, "'off'"),
        ({"spd": 0.1, "optimizer": "sgd"}, "spd is a decay within adamw"),
        ({"spd": 0.1, "weight_decay": 0.1}, "drop one of the two"),
        ({"lora_rank": 2, "l2_sp": 0.1}, "LoRA does not train them"),
        ({"lora_alpha": 2}, "name lora_rank"),
        ({"layer_decay": 0.0}, "layer_decay 0.0"),
        ({"blocks": ()}, "give at least one"),
        ({"blocks": (1, 1)}, "each once"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(values, words):
    with pytest.raises(InputError, match=words):
        with_(**values)


def test_a_block_that_is_not_there_is_refused(tiny):
    with pytest.raises(InputError, match=r"block 4: the network has 4 parts"):
        tuned(classifier(tiny("bert")), with_(blocks=(4,)))


def test_a_step_of_one_item_is_refused_where_batch_norm_is_trained(tiny):
    made = classifier(tiny("bert"))
    made.features.module.add_module("norm", torch.nn.BatchNorm1d(3))
    n = len(labelled(TASK, "train", CLASSES))
    one_left = next(size for size in range(2, n) if n % size == 1)
    trained = with_(batch_size=one_left, norm_and_dropout="train")
    with pytest.raises(InputError, match="leave one of a single item"):
        tuned(made, trained)
    tuned(made, dataclasses.replace(trained, norm_and_dropout="frozen", epochs=1))
