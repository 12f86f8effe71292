"""The web workbench: a Gradio app over promptlab's public names, one file a tab."""

import os

# Read by Gradio when it is imported: without this it asks outside hosts about itself.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
