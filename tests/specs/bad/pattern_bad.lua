-- expect: ?
('a'):match('[a')
