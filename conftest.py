"""What unit and end-to-end tests alike may rely on: whoever starts them, Ctrl-C reaches what they start."""

import signal

# A script that starts tests in the background makes them, and all that they start, deaf to Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
