"""Sixty steps of a tiny GPT-2 by the Trainer, evaluated every twenty."""

import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

folder = sys.argv[1]
torch.set_num_threads(1)
model = GPT2LMHeadModel(
    GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=32, n_positions=16, bos_token_id=0, eos_token_id=0)
)
tokens = torch.arange(16 * 64).reshape(64, 16) % 31
data = [{"input_ids": row, "labels": row} for row in tokens]
arguments = TrainingArguments(
    output_dir=f"{folder}/exp", max_steps=60, logging_steps=10, eval_strategy="steps", eval_steps=20, save_steps=30,
    per_device_train_batch_size=4, report_to=[], use_cpu=True, disable_tqdm=True, include_num_input_tokens_seen="all",
)  # fmt: skip
trainer = Trainer(model=model, args=arguments, train_dataset=data, eval_dataset=data[:8])
trainer.train()
trainer.save_state()
trainer.save_model()
