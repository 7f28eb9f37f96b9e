"""Make a tiny Llama of random weights whose greedy tokens survive another batch or another pod.

Tokens of two engines can only be compared when no step is a near-tie: float32 sums differ by some
1e-5 with the batch and the chunking. So the output layer speaks a few letters only (the fewer the
candidates, the wider the gap between the best two), and never the end of text: a request always
gets the `max_tokens` it asks for. The weights are large enough for attention to matter, or a wrong
KV cache would go unseen. The script prints the smallest gap that it finds, and refuses a narrow one.

Run it with the engine's interpreter: `tiny_model.py DIRECTORY`.
"""

import json
import sys
from pathlib import Path

import torch  # type: ignore[import-not-found]
from tokenizers import (  # type: ignore[import-not-found]
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)
from transformers import (  # type: ignore[import-not-found]
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

FIRST_SEED = 22  # the first that passes; another CPU may round otherwise and take the next
VOCABULARY = 320  # 2 marks, 256 bytes, merges
CONTEXT_TOKENS = 8192
LETTERS = "abcdefghijklmnopqrstuvwxyz .,"  # what it says; ASCII, so that each token is text at once
WEIGHT_GAIN = 1.6  # 1 keeps a vector's length; from 3 on, rounding grows through the layers
LEAST_GAP = 1e-3  # 50 times the rounding between batches; a tenth of it would flip a token a day
MARKS = ["<s>", "</s>"]  # the first two token ids: begin and end of text
CORPUS = [
    "the fleet scales prefill and decode apart, each by the work that waits for it",
    "a request brings a prompt, the prompt becomes keys and values, the tokens follow",
]
CHAT = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on two sentences."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=MARKS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=MARKS[0],
        eos_token=MARKS[1],
        chat_template=CHAT,
        model_max_length=CONTEXT_TOKENS,
    )


def model(spoken: list[int], seed: int) -> LlamaForCausalLM:
    """A Llama of 2 KiB of KV per token that says the `spoken` tokens only."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=False,
        dtype="float32",
    )
    torch.manual_seed(seed)
    llama = LlamaForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, weight in llama.named_parameters():
            if weight.dim() > 1:
                gain = 1.0 if "embed" in name else WEIGHT_GAIN * weight.shape[1] ** -0.5
                weight.normal_(0.0, gain)
        silent = torch.ones(VOCABULARY, dtype=torch.bool)
        silent[spoken] = False
        llama.lm_head.weight[silent] = 0.0  # a logit of 0, hardly ever above all the others
    return llama


def answers(llama: LlamaForCausalLM, prompts: list[list[int]]) -> list[tuple[list[int], float]]:
    """Greedy answers of 64 tokens, each with its narrowest gap between the best two tokens."""
    found = []
    for prompt in prompts:
        out = llama.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=64,
            do_sample=False,
            pad_token_id=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        best = torch.stack(out.logits).squeeze(1).topk(2).values
        gap = float((best[:, 0] - best[:, 1]).min())
        found.append((out.sequences[0, len(prompt) :].tolist(), gap))
    return found


def questions() -> list[list[int]]:
    """Prompts of random tokens, around and across the engine's blocks of 128 tokens."""
    generator = torch.Generator().manual_seed(FIRST_SEED)
    lengths = (5, 16, 40, 127, 128, 129, 400, 900)
    return [torch.randint(2, VOCABULARY, (n,), generator=generator).tolist() for n in lengths]


def main(directory: Path) -> None:
    """Make the model in `directory`, unless a complete one stands there."""
    if (directory / "complete").exists():
        return
    tokens = tokenizer()
    spoken = tokens.convert_tokens_to_ids(list(LETTERS.replace(" ", "Ġ")))
    for seed in range(FIRST_SEED, FIRST_SEED + 20):
        llama = model(spoken, seed)
        found = answers(llama, questions())
        gap = min(each for _, each in found)
        different = len({tuple(answer[:8]) for answer, _ in found})
        sys.stdout.write(f"seed {seed}: smallest gap {gap:.4f}, {different} different answers\n")
        if gap >= LEAST_GAP and different == len(found):
            break
    else:
        raise SystemExit("no weights tell a right KV cache from a wrong one")
    llama.save_pretrained(directory)
    tokens.save_pretrained(directory)
    for path in directory.iterdir():
        path.chmod(0o644)  # weights are saved for their owner alone; an engine is someone else
    (directory / "complete").write_text(json.dumps({"seed": seed, "smallest_gap": gap}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
