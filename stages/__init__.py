"""stages: one thin script per DVC stage; importing the package makes the process exact."""

from cxr import numerics

numerics.enter()
