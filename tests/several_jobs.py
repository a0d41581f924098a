"""Executes several jobs in one process, since importing TensorFlow costs more than they do.

``python several_jobs.py FOLDER …``: job folders whose request is written, in the order to be done.
"""

import gc
import os
import sys

from redshift_core.jobs import worker

if __name__ == "__main__":
    gc.set_threshold(200_000)  # as in a worker
    os.nice = lambda _: 0  # each short job lowers the priority, which would leave the last none
    for path in sys.argv[1:]:
        worker.main(path)  # how it ended stands in the folder
