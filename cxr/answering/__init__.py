"""An exported model that answers: a picture's file in, probabilities or a refusal out, without torch.

files reads and checks what export wrote; preparing makes pictures as the pipeline does; model runs the
networks; drawing shows where a score comes from; pictures finds files in folders and archives,
predicting answers many, naming finds a model by its name, words say it all to people.
"""

from __future__ import annotations

from cxr.answering.drawing import overlay
from cxr.answering.model import Answer, Answers, Model, open_model
from cxr.answering.preparing import Preparation, open_preparation

__all__ = ["Answer", "Answers", "Model", "Preparation", "open_model", "open_preparation", "overlay"]
