"""The web workbench: a Gradio app over promptlab's public names, one file a tab.

No older answer may stay in sight. A place that is drawn from values has one listener
(`listening.on_latest`); one that several listeners write keeps the newest question's answer
(`newest.LatestOnly`); a page that looks again and again sends what is new (`seen.SessionDiff`).
"""

import os

# Read by Gradio when it is imported: without this it asks outside hosts about itself.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
