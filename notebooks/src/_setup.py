#zh| 检查环境：缺什么，现在就说清楚。
#en| Check the environment: say now what is missing.
import importlib.util
import os
import sys
from pathlib import Path

REPO = ""
NEED = {}
#zh> os.environ["MMLAB_LANG"] = "zh"
#en> os.environ["MMLAB_LANG"] = "en"

for folder in [Path.cwd(), Path.cwd() / "mmbook", *Path.cwd().parents]:
    if (folder / "mmlab" / "__init__.py").exists():
        sys.path.insert(0, str(folder))
        break

todo = []
missing = [pin for name, pin in NEED.items() if importlib.util.find_spec(name) is None]
if missing:
    todo.append(f"{sys.executable} -m pip install {' '.join(missing)}")
if importlib.util.find_spec("mmlab") is None:
    #zh> todo.append(f"git clone {REPO or '<本书仓库的地址>'} mmbook")
    #en> todo.append(f"git clone {REPO or '<address of the repository of this book>'} mmbook")
if todo:
    #zh> raise SystemExit("还缺东西。请在笔记本所在的文件夹里打开终端，运行（在 Colab 里，每行前面加一个感叹号，放进新的单元）：\n" + "\n".join(todo) + "\n然后重启内核，再从头运行。")
    #en> raise SystemExit("Something is missing. In a terminal, in the folder of this notebook (in Colab: in a new cell, each line with an exclamation mark before it), run:\n" + "\n".join(todo) + "\nthen restart the kernel and run from the top.")
#zh> print("环境就绪：Python " + sys.version.split()[0])
#en> print("Ready: Python " + sys.version.split()[0])
