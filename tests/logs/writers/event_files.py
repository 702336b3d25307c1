"""50,000 points each by tensorboardX, tensorboard (tensor-style) and torch; hyper-parameters; a restarted run."""

import sys

folder = sys.argv[1]


def loss(step):
    return 3.0 / (1 + step) ** 0.1 + 0.01 * (step % 7)


match sys.argv[2]:
    case "tensorboardX":
        from tensorboardX import SummaryWriter

        writer = SummaryWriter(f"{folder}/x")
        for step in range(50_000):
            writer.add_scalar("train/loss", loss(step), step)
        writer.close()
        for start, end in ((0, 100), (60, 80)):  # the second start goes back to 60 and ends at 80
            writer = SummaryWriter(f"{folder}/restarted", filename_suffix=f".{start}")
            for step in range(start, end):
                writer.add_scalar("loss", loss(step) + start, step)
            writer.close()
        writer = SummaryWriter(f"{folder}/unstepped")
        for step in range(100):
            writer.add_scalar("loss", loss(step))
        writer.close()
    case "tensorboard":
        from tensorboard.compat.proto import event_pb2
        from tensorboard.plugins.hparams import summary_v2 as hparams
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        for split, shift in (("train", 0.0), ("validation", 1.0)):
            writer = EventFileWriter(f"{folder}/keras/{split}")
            for step in range(int(sys.argv[3])):
                event = event_pb2.Event(wall_time=1.7e9 + step, step=step)
                event.summary.CopyFrom(scalar_pb("epoch_loss", loss(step) + shift))
                writer.add_event(event)
            writer.add_event(event_pb2.Event(summary=hparams.hparams_pb({"lr": 3e-4, "model": "gpt", "bias": True})))
            writer.close()
    case "torch":
        import torch
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(f"{folder}/torch")
        for step in range(50_000):
            writer.add_scalar("loss", loss(step), step)
        for step in range(100):
            writer.add_scalar("new", loss(step), step, new_style=True)
        writer.add_histogram("weights", torch.arange(100.0), 0)
        writer.add_text("note", "words", 0)
        writer.close()
