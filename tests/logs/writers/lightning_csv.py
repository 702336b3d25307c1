"""A one-parameter model by Lightning with its CSVLogger."""

import sys

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger


class Line(lightning.LightningModule):
    def __init__(self, lr=0.1, optimizer="sgd"):
        super().__init__()
        self.save_hyperparameters()
        self.weight = torch.nn.Parameter(torch.tensor(2.0))

    def training_step(self, batch, number):
        loss = (self.weight**2 * batch[0]).mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, number):
        self.log("val_loss", (self.weight**2 * batch[0]).mean())

    def configure_optimizers(self):
        return torch.optim.SGD([self.weight], lr=self.hparams.lr)


data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(20)), batch_size=2)
lightning.Trainer(
    max_epochs=2, logger=CSVLogger(sys.argv[1]), log_every_n_steps=1, accelerator="cpu",
    enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
).fit(Line(), data, data)  # fmt: skip
