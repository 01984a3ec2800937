"""Many files and blocks of curves on several processes, here or on a Dask cluster.

Results are those of the serial run, bit for bit: a task is a call of the same function with the
same arguments, and what came out is taken in the order of the tasks.
"""

from nrm_plugin.batch.running import run_tasks
from nrm_plugin.batch.tasks import BatchTask, Outcome

__all__ = ["BatchTask", "Outcome", "run_tasks"]
