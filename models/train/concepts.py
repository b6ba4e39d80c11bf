"""What the tiny model knows about Volley and serving language models: one answer a term, a second one on demand."""

# Term: (ways to name it in a question (twice: asked twice as often), answer, what "tell me more" adds or '').
CONCEPTS: dict[str, tuple[list[str], str, str]] = {
    'volley': (
        ['Volley', 'Volley', 'Volley', 'the Volley project'],
        'Volley serves language models with the phases of a request pulled apart. '
        'One instance reads the prompt, another writes the answer.',
        'Each request is a small state machine that hops between instances over NATS, '
        'so prefill and decode can grow and shrink on their own.',
    ),
    'encode': (
        ['encode', 'the encode phase', 'encoding'],
        'Encode is the phase that looks at a picture. It turns the picture into image tokens for prefill to read.',
        'Instances of their own can do it, and a picture that was seen before is not encoded twice.',
    ),
    'prefill': (
        ['prefill', 'the prefill phase'],
        'Prefill is the phase that reads the whole prompt at once. It fills the KV cache and gives the first token.',
        'Prefill is limited by arithmetic: many tokens are computed together, so long prompts keep the processor busy.',
    ),
    'decode': (
        ['decode', 'the decode phase', 'decoding'],
        'Decode is the phase that writes the answer, one token at a time. Each step reads the KV cache.',
        'Decode is limited by memory: every step reads all weights to make one token for each request in the batch.',
    ),
    'kv cache': (
        ['the KV cache', 'a KV cache', 'KV cache', 'KV'],
        'The KV cache holds the keys and values of all tokens seen so far. '
        'It saves the model from reading the prompt again at every step.',
        'It grows with every token, and it is kept in blocks so that memory is not wasted.',
    ),
    'ttft': (
        ['TTFT', 'time to first token', 'the time to first token'],
        'TTFT is the time to first token: how long a user waits until the answer begins.',
        'Queueing and prefill decide it. Long prompts make it longer.',
    ),
    'tpot': (
        ['TPOT', 'time per output token', 'the time per output token'],
        'TPOT is the time per output token: how fast the answer flows once it has begun.',
        'Decode decides it. Larger batches make it a little longer.',
    ),
    'token': (
        ['a token', 'tokens'],
        'A token is a small piece of text, often a word or a part of one. Models read and write tokens.',
        '',
    ),
    'language model': (
        ['a language model', 'language models', 'an LLM', 'LLM'],
        'A language model is a program that guesses the next token, again and again, until the answer is done.',
        'It learned this by reading text. I am a very small one.',
    ),
    'state machine': (
        ['a state machine', 'state machines', 'a state chart'],
        'A state machine is a thing that is always in one named state and moves to another when an event comes.',
        'In Volley every request is one: queued, prefill, transfer, decode, done.',
    ),
    'nats': (
        ['NATS', 'nats-server'],
        'NATS is a messaging system. Volley uses it to carry requests, tokens and events between instances.',
        '',
    ),
    'hop': (['a hop', 'hops'], 'A hop is one delivery of a request plus one step of its state machine.', ''),
    'transfer': (
        ['transfer', 'KV transfer', 'the transfer phase'],
        'Transfer moves the KV cache from the instance that did the prefill to the one that will decode.',
        'The receiver pulls the blocks by ticket, through memory, a socket or NATS.',
    ),
    'ticket': (
        ['a ticket', 'tickets'],
        'A ticket is a one-time reference to bytes that an instance holds for a while.',
        '',
    ),
    'scheduler': (
        ['a scheduler', 'the scheduler'],
        'The scheduler chooses which instance works on a request next.',
        'It asks a policy, writes the decision down, and hands the hop over.',
    ),
    'policy': (['a policy', 'policies'], 'A policy is a pure function from a view of the cluster to a decision.', ''),
    'gateway': (
        ['a gateway', 'the gateway'],
        'The gateway speaks HTTP. It takes your request in and streams the answer back to you.',
        '',
    ),
    'instance': (
        ['an instance', 'instances'],
        'An instance is one engine with its own compute thread. It can run every phase.',
        '',
    ),
    'pool': (
        ['a pool', 'pools', 'an elastic pool'],
        'A pool is a label on instances: some do prefill, some do decode, and a label can change at any time.',
        '',
    ),
    'batching': (
        ['batching', 'a batch', 'continuous batching'],
        'Batching runs many requests in one step. With continuous batching, requests join and leave at every step.',
        '',
    ),
    'chunked prefill': (
        ['chunked prefill', 'a prefill chunk'],
        'Chunked prefill cuts a long prompt into pieces, so that other requests need not wait for all of it.',
        '',
    ),
    'disaggregation': (
        ['disaggregation', 'disaggregated serving', 'PD disaggregation', 'prefill-decode disaggregation'],
        'Disaggregated serving runs prefill and decode on different instances, so that neither slows the other.',
        'The price is one transfer of the KV cache for each request.',
    ),
    'context window': (
        ['the context window', 'a context window', 'context length'],
        'The context window is how many tokens a model can look at. Mine is small.',
        '',
    ),
    'quantization': (
        ['quantization', 'a quantized model'],
        'Quantization stores weights with fewer bits, so that a model is smaller and faster.',
        '',
    ),
    'prefix cache': (
        ['a prefix cache', 'prefix caching', 'the prefix cache'],
        'A prefix cache keeps the KV blocks of earlier prompts, so that a shared beginning is computed once.',
        '',
    ),
    'tensorflow.js': (
        ['TensorFlow.js', 'tfjs'],
        'TensorFlow.js runs neural networks in JavaScript. Volley uses it as its engine.',
        '',
    ),
    'streaming': (['streaming', 'a token stream'], 'Streaming shows each token as soon as it is made.', ''),
}
