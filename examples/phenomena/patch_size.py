"""Patch size: smaller patches give a vision transformer more tokens of the same image, and a lower loss.

Wang et al. 2025 (arXiv 2502.03738): on ImageNet accuracy rises at every halving of the patch, down to one pixel. Here
it is tried on 8 × 8 digits, twice. With a learnt linear embedding of the patch and attention, nothing is thrown away at
any size. With each patch replaced by its mean before a plain network, larger patches lose information by construction;
that curve is shown for contrast and proves nothing about attention.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _networks import losses, outputs, start, train
from _scaffold import COLOURS, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, stream, told
from torch import Tensor, nn

from isoflop.lab.schedules import Schedule
from isoflop.lab.tasks import digits
from isoflop.lab.tasks.base import shuffled

SIDE, CLASSES = 8, 10
WIDTH, HEADS, LAYERS = 32, 2, 2


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)), every token seeing every other."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.into, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (batch, tokens, width) to the same shape."""
        batch, tokens, _ = x.shape
        q, k, v = self.into(self.before(x)).view(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, WIDTH))
        return x + self.down(F.gelu(self.up(self.between(x))))


class PatchTransformer(nn.Module):
    """Class scores from images (batch, 64) cut into patches of ``patch`` × ``patch`` pixels."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(patch**2, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn((SIDE // patch) ** 2, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Mean over tokens of the last layer, to scores."""
        x = self.embed(_cut(images, self.patch)) + self.places
        return self.head(self.norm(self.blocks(x)).mean(dim=1))


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train at every patch size with one recipe, several seeds, and compare neighbors in pairs."""
    torch.set_num_threads(1)
    patches = (8, 4, 2) if quick else (8, 4, 2, 1)
    seeds, epochs = (2, 4) if quick else (4, 40)
    found = np.array(
        [[_attend(patch, epochs, stream(own, seed)) for own in range(seeds)] for patch in patches]
    )  # …, (loss, accuracy)
    pooled = np.array([_pool(patch, 200 if quick else 800, seeds, seed) for patch in patches])
    steps = [mean_interval(np.log(found[i + 1, :, 0] / found[i, :, 0])) for i in range(len(patches) - 1)]
    steps_pooled = [mean_interval(np.log(pooled[i + 1] / pooled[i])) for i in range(len(patches) - 1)]

    lower = [each.high < 0 for each in steps]
    higher = [each.low > 0 for each in steps]
    words = [
        "lowers" if low else "raises" if high else "does not clearly change"
        for low, high in zip(lower, higher, strict=True)
    ]
    verdict = "appears" if all(lower) else "appears in part" if any(lower) else "does not appear"
    says = "With a learnt embedding, " + "; ".join(
        f"going from {patches[i]} to {patches[i + 1]} pixels {words[i]} the held-out loss (by a factor of "
        f"{np.exp(each.value):.2f} [{np.exp(each.low):.2f}, {np.exp(each.high):.2f}])"
        for i, each in enumerate(steps)
    )
    growth = _flops(patches[-1]) / _flops(patches[0])
    falls = sum(each.high < 0 for each in steps_pooled)
    says += (
        f". From {patches[0]} to {patches[-1]} the compute of a training image grows {growth:.0f}-fold. With mean "
        f"pooling {falls} of {len(steps_pooled)} halvings lower the loss, by construction."
    )
    rows = [
        [
            f"{patch}",
            f"{(SIDE // patch) ** 2}",
            f"{_flops(patch) / 1e6:.2f}",
            told(mean_interval(found[i, :, 0])),
            f"{found[i, :, 1].mean():.3f}",
            f"{pooled[i].mean():.3f}",
        ]
        for i, patch in enumerate(patches)
    ]

    figure, (axes,) = panels(1)
    tokens = [(SIDE // patch) ** 2 for patch in patches]
    for number, (name, values) in enumerate(
        (("learnt embedding, attention", found[:, :, 0]), ("mean of the patch", pooled))
    ):
        each = [mean_interval(row) for row in values]
        axes.plot(tokens, [i.value for i in each], color=COLOURS[number], marker=MARKERS[number], label=name)
        axes.scatter(np.repeat(tokens, seeds), values.ravel(), color=COLOURS[number], s=10, alpha=0.5)
    axes.set(xscale="log", yscale="log", xlabel="tokens an image, (8 / patch)²", ylabel="held-out loss (nats/image)")
    plain_ticks(axes, tokens)
    plain_ticks(axes, (0.05, 0.1, 0.2, 0.5, 1, 2), axis="y")
    axes.legend(frameon=False, fontsize=9)
    header = ["patch", "tokens", "MFLOPs an image", "loss (nats), 90 %", "accuracy", "loss, mean pooling"]
    numbers = {"log(4 by 8 pixels)": steps[0], "last": steps[-1], "pooled": steps_pooled[0]}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _cut(images: Tensor, patch: int) -> Tensor:
    """(batch, 64) → (batch, tokens, patch²)."""
    side = SIDE // patch
    return images.view(-1, side, patch, side, patch).transpose(2, 3).reshape(len(images), side**2, patch**2)


def _flops(patch: int) -> float:
    """Training FLOPs an image: 3 · 2 per multiply-add of the matrices and of attention, quadratic in the tokens."""
    tokens = (SIDE // patch) ** 2
    matrices = tokens * (patch**2 * WIDTH + LAYERS * 8 * WIDTH**2) + WIDTH * CLASSES
    return 6.0 * (matrices + LAYERS * 2 * tokens**2 * WIDTH)


def _attend(patch: int, epochs: int, seed: int) -> tuple[float, float]:
    """Held-out loss and accuracy after AdamW with a cosine; the same recipe for every patch size."""
    task = digits()
    torch.manual_seed(seed)
    model = PatchTransformer(patch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = Schedule("cosine", final=0.01)
    steps = epochs * task.unique // 64
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * schedule.factor(step, steps)
        rows = shuffled(seed, step * 64, 64, task.unique)
        loss = F.cross_entropy(model(torch.from_numpy(task.training[rows])), torch.from_numpy(task.labels[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held, truth = (torch.from_numpy(each) for each in task.held_out(10_000))
    with torch.inference_mode():
        scores = model(held)
    return float(F.cross_entropy(scores, truth)), float((scores.argmax(dim=1) == truth).float().mean())


def _pool(patch: int, steps: int, seeds: int, seed: int) -> np.ndarray:
    """Held-out losses of a plain network on the patches' means."""
    task = digits()
    images, held = (
        _cut(torch.from_numpy(each), patch).mean(dim=2) for each in (task.training, task.held_out(10_000)[0])
    )
    labels = torch.from_numpy(task.labels)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        drawn = [shuffled(stream(own, seed), (step - 1) * 64, 64, task.unique) for own in range(seeds)]
        rows = torch.from_numpy(np.stack(drawn))
        return images[rows], labels[rows]

    weights = train(
        start((images.shape[1], 64, CLASSES), seeds, seed=stream(patch, seed)),
        batch,
        steps=steps,
        rates=[3e-3] * seeds,
        schedule=Schedule("cosine", final=0.01),
    )
    return losses(outputs(weights, held), torch.from_numpy(task.held_out(10_000)[1])[None]).numpy()


if __name__ == "__main__":
    show(__doc__, "patch_size", study)
